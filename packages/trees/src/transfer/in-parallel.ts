/**
 * Works through items, a few at once. The first failure stops the others through their signal; it is thrown once all have
 * ended, so that nothing goes on behind the caller's back.
 */
export async function inParallel<T>(
  items: AsyncIterable<T> | Iterable<T>,
  options: { readonly atOnce: number; readonly signal: AbortSignal | undefined },
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  options.signal?.throwIfAborted();
  const stop = new AbortController();
  const forward = (): void => stop.abort(options.signal?.reason);
  options.signal?.addEventListener('abort', forward, { once: true });
  const failures: unknown[] = [];
  const running = new Set<Promise<void>>();
  const fail = (error: unknown): void => {
    failures.push(error);
    stop.abort(error);
  };
  try {
    for await (const item of items) {
      if (stop.signal.aborted) break;
      const job: Promise<void> = work(item, stop.signal)
        .catch(fail)
        .finally(() => running.delete(job));
      running.add(job);
      while (running.size >= options.atOnce) await Promise.race(running);
      if (stop.signal.aborted) break;
    }
  } catch (error) {
    fail(error);
  } finally {
    await Promise.all(running);
    options.signal?.removeEventListener('abort', forward);
  }
  options.signal?.throwIfAborted();
  if (failures.length > 0) throw failures[0];
}
