/** Lets other work of the process run during long synchronous stretches. */
import { setImmediate } from 'node:timers/promises';

const longest = 8;

export class Breather {
  #since = performance.now();

  /** True when this stretch has lasted long enough: then `await rest()`. Cheap enough to ask for each file. */
  get due(): boolean {
    return performance.now() - this.#since > longest;
  }

  async rest(): Promise<void> {
    await setImmediate();
    this.#since = performance.now();
  }
}
