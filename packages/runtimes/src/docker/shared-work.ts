/** One piece of work that several callers wait for: started by the first, abandoned when the last has left. */

interface Shared<Result> {
  readonly promise: Promise<Result>;
  readonly abort: AbortController;
  readonly listeners: Set<(status: string) => void>;
  status: string | undefined;
  waiting: number;
}

export interface Waiter {
  readonly signal: AbortSignal;
  onProgress(status: string): void;
}

/** Runs `work` once for all callers that come with the same key while it lasts; each hears of its progress. */
export class SharedWork<Result> {
  readonly #running = new Map<string, Shared<Result>>();

  async join(
    key: string,
    waiter: Waiter,
    work: (signal: AbortSignal, onProgress: (status: string) => void) => Promise<Result>,
  ): Promise<Result> {
    waiter.signal.throwIfAborted();
    const shared = this.#running.get(key) ?? this.#begin(key, work);
    const listener = (status: string): void => waiter.onProgress(status);
    shared.listeners.add(listener);
    shared.waiting += 1;
    if (shared.status !== undefined) {
      listener(shared.status);
    }
    try {
      return await orAborted(shared.promise, waiter.signal);
    } finally {
      shared.listeners.delete(listener);
      shared.waiting -= 1;
      if (shared.waiting === 0) {
        this.#forget(key, shared);
        shared.abort.abort(new Error('Nobody waits for this any more'));
      }
    }
  }

  #begin(
    key: string,
    work: (signal: AbortSignal, onProgress: (status: string) => void) => Promise<Result>,
  ): Shared<Result> {
    const abort = new AbortController();
    const listeners = new Set<(status: string) => void>();
    const onProgress = (status: string): void => {
      shared.status = status;
      for (const listener of listeners) {
        listener(status);
      }
    };
    const promise = work(abort.signal, onProgress);
    const shared: Shared<Result> = { promise, abort, listeners, status: undefined, waiting: 0 };
    this.#running.set(key, shared);
    return shared;
  }

  #forget(key: string, shared: Shared<Result>): void {
    if (this.#running.get(key) === shared) {
      this.#running.delete(key);
    }
  }
}

function orAborted<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}
