/** Ties a stream to an abort signal, so that a sender who stalls cannot hold up whoever gave up waiting. */
import { Readable } from 'node:stream';

/** Answers a function that unties them again. */
export function destroyOnAbort(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): () => void {
  if (signal === undefined || !(source instanceof Readable)) return () => undefined;
  const destroy = (): void => {
    const reason: unknown = signal.reason;
    source.destroy(reason instanceof Error ? reason : new Error('aborted', { cause: reason }));
  };
  // Whoever iterates gets the error, also when that begins later; until then nobody listens, and it would end the process.
  source.on('error', () => undefined);
  if (signal.aborted) destroy();
  signal.addEventListener('abort', destroy, { once: true });
  return () => signal.removeEventListener('abort', destroy);
}
