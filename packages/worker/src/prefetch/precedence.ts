/** Lets downloads that runs wait for go before those that are made ahead of time. */

export class Precedence {
  #busy = 0;
  readonly #paused = new Set<() => void>();
  readonly #running = new Set<AbortController>();

  /** A run waits for something from now on, until the function that is answered is called. What is made ahead pauses. */
  enter(): () => void {
    this.#busy += 1;
    for (const running of this.#running) running.abort(new Error('a run waits for a download of its own'));
    let entered = true;
    return () => {
      if (!entered) return;
      entered = false;
      this.#busy -= 1;
      if (this.#busy > 0) return;
      for (const resume of this.#paused) resume();
      this.#paused.clear();
    };
  }

  /**
   * Does work that no run waits for yet. It is aborted when a run comes to wait for something, and begun again afterwards; work that
   * the run shares goes on, because the run has joined it before.
   */
  async behind<Result>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    for (;;) {
      await this.#quiet(signal);
      const pause = new AbortController();
      this.#running.add(pause);
      try {
        return await work(AbortSignal.any([signal, pause.signal]));
      } catch (error) {
        signal.throwIfAborted();
        if (!pause.signal.aborted) throw error;
      } finally {
        this.#running.delete(pause);
      }
    }
  }

  async #quiet(signal: AbortSignal): Promise<void> {
    while (this.#busy > 0) {
      signal.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        const leave = () => {
          this.#paused.delete(resume);
          reject(signal.reason as Error);
        };
        const resume = () => {
          signal.removeEventListener('abort', leave);
          resolve();
        };
        this.#paused.add(resume);
        signal.addEventListener('abort', leave, { once: true });
      });
    }
    signal.throwIfAborted();
  }
}
