/*
 * Original clients send a failing request a second time and show the second answer. The first failure of an upload by URL
 * makes the bundle final, so without this the user would read that it is final, and never why (rest-api.md §20.5).
 */
import type { SheafError } from '@sheaf/wire';
import type { Clock } from '../services.ts';

const remembered = 10_000;

export class RepeatedRequests {
  readonly #clock: Clock;
  readonly #failures = new Map<string, { error: SheafError; at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  failed(key: string, error: SheafError): void {
    const now = this.#clock.elapsed();
    this.#failures.set(key, { error, at: now });
    for (const [old, { at }] of this.#failures) if (at < now - remembered) this.#failures.delete(old);
  }

  /** The first answer to the same request, if that was a failure a few seconds ago. */
  firstAnswer(key: string): SheafError | undefined {
    const failure = this.#failures.get(key);
    return failure !== undefined && failure.at >= this.#clock.elapsed() - remembered
      ? failure.error
      : undefined;
  }
}
