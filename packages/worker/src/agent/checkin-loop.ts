/**
 * Checks in with the server again and again, each time held open until there is something to do. A task of its own: whatever
 * happens to runs, the worker stays in touch.
 */
import type { CheckinInput } from '@sheaf/wire';
import { pauseAfter } from '../back-off.ts';
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Acknowledgements } from './acknowledgements.ts';

export interface CheckinLoopOptions {
  /** Sends one check-in. */
  readonly checkin: (checkin: CheckinInput, signal: AbortSignal) => Promise<unknown[]>;
  /** Everything about the worker as it is now. */
  readonly describe: () => Promise<CheckinInput>;
  /** Deals with messages. Returns when the next check-in may be sent; false: some could not be dealt with. */
  readonly handle: (messages: readonly unknown[]) => Promise<boolean>;
  readonly acknowledgements: Acknowledgements;
  readonly succeeded: () => void;
  readonly failed: (error: unknown) => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** Seconds. */
const longestHold = 30;
const backOff = { first: 500, longest: 30_000 };
/** A server that answers nothing, and at once, is not holding; milliseconds to leave it alone. */
const unheldPause = 1000;
const heldAtLeast = 500;

export class CheckinLoop {
  readonly #options: CheckinLoopOptions;
  #current = new AbortController();
  #succeededBefore = false;
  #everSucceeded = false;

  constructor(options: CheckinLoopOptions) {
    this.#options = options;
  }

  /** Whether the last check-in reached the server. */
  get inTouch(): boolean {
    return this.#succeededBefore;
  }

  /** Whether the server has ever heard of this worker. */
  get wasInTouch(): boolean {
    return this.#everSucceeded;
  }

  /** What the worker offers has changed: the server should hear it now. */
  wake(): void {
    this.#current.abort(new Woken());
  }

  /** Goes on until the signal fires; never fails. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      this.#current = new AbortController();
      const current = AbortSignal.any([signal, this.#current.signal]);
      try {
        const unheld = await this.#checkIn(current);
        failures = 0;
        if (unheld) await this.#options.clock.sleep(unheldPause, current);
      } catch (error) {
        if (signal.aborted || error instanceof Woken) continue;
        failures += 1;
        this.#fail(error, failures);
        await this.#rest(pauseAfter(failures, backOff, this.#options.random()), current);
      }
    }
  }

  /** @returns whether the server answered nothing without holding the request. */
  async #checkIn(signal: AbortSignal): Promise<boolean> {
    const { acknowledgements, clock } = this.#options;
    const description = await this.#options.describe();
    const ack = acknowledgements.take();
    const hold = this.#succeededBefore ? longestHold : 0;
    const began = clock.elapsed();
    const messages = await this.#options.checkin({ ...description, ack, hold }, signal);
    const first = !this.#succeededBefore;
    this.#succeededBefore = true;
    this.#everSucceeded = true;
    this.#options.succeeded();
    const said = messages.filter((message) => message !== null);
    const handled = await this.#options.handle(said);
    if (first) return false;
    return !handled || (said.length === 0 && clock.elapsed() - began < heldAtLeast);
  }

  #fail(error: unknown, failures: number): void {
    const { log } = this.#options;
    this.#succeededBefore = false;
    this.#options.failed(error);
    const fields = { error: messageOf(error), failures };
    // Before the first contact it is for whoever starts the worker to say.
    if (failures === 1 && this.#everSucceeded)
      log.warn(fields, 'check-in failed; runs go on, and it is tried again');
    else log.debug(fields, 'check-in failed');
  }

  async #rest(milliseconds: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#options.clock.sleep(milliseconds, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

/** A held check-in was broken off to send a newer one. */
class Woken extends Error {
  override readonly name = 'Woken';
}
