/** Downloads that several runs wait for at once: made once, given up when nobody waits any more, few at a time. */

export type Tell = (status: string) => void;
type Download = (signal: AbortSignal, tell: Tell) => Promise<void>;

interface Running {
  readonly abort: AbortController;
  /** One for each who waits; two may bring the same function. */
  readonly listeners: Set<{ readonly tell: Tell }>;
  readonly done: Promise<void>;
  last: string;
}

export class SharedDownloads {
  readonly #atOnce: number;
  readonly #running = new Map<string, Running>();
  readonly #queue: (() => void)[] = [];
  #active = 0;

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  get names(): ReadonlySet<string> {
    return new Set(this.#running.keys());
  }

  /** Joins the download of that name, or begins it. The signal leaves it; the last one to leave aborts it. */
  async join(name: string, signal: AbortSignal, tell: Tell, download: Download): Promise<void> {
    signal.throwIfAborted();
    const running = this.#running.get(name) ?? this.#begin(name, download);
    const listener = { tell };
    running.listeners.add(listener);
    if (running.last !== '') tell(running.last);
    const left = whenAborted(signal);
    try {
      await Promise.race([running.done, left.promise]);
    } finally {
      left.forget();
      running.listeners.delete(listener);
      if (running.listeners.size === 0) {
        running.abort.abort(new Error('nobody waits for this download any more'));
        if (this.#running.get(name) === running) this.#running.delete(name);
      }
    }
  }

  #begin(name: string, download: Download): Running {
    const abort = new AbortController();
    const listeners: Running['listeners'] = new Set();
    const running: Running = {
      abort,
      listeners,
      last: '',
      done: this.#inTurn(abort.signal, () =>
        download(abort.signal, (status) => {
          running.last = status;
          for (const listener of listeners) listener.tell(status);
        }),
      ),
    };
    this.#running.set(name, running);
    const forget = () => {
      if (this.#running.get(name) === running) this.#running.delete(name);
    };
    running.done.then(forget, forget);
    return running;
  }

  async #inTurn(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    if (this.#active >= this.#atOnce) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#active += 1;
    try {
      signal.throwIfAborted();
      await work();
    } finally {
      // The place goes to the next in line, or becomes free.
      const next = this.#queue.shift();
      if (next === undefined) this.#active -= 1;
      else next();
    }
  }
}

function whenAborted(signal: AbortSignal): { promise: Promise<never>; forget: () => void } {
  let abort: () => void = () => undefined;
  const promise = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
  });
  return { promise, forget: () => signal.removeEventListener('abort', abort) };
}
