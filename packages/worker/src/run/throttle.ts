/** Calls back at once, and then at most once in a while, however often it is asked to; the last request is never lost. */
export class Throttle {
  readonly #callback: () => void;
  readonly #pause: number;
  #timer: NodeJS.Timeout | undefined;
  #again = false;

  /** @param pause milliseconds */
  constructor(pause: number, callback: () => void) {
    this.#pause = pause;
    this.#callback = callback;
  }

  request(): void {
    if (this.#timer !== undefined) {
      this.#again = true;
      return;
    }
    this.#callback();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.request();
    }, this.#pause).unref();
  }
}
