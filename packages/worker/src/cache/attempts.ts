/** How often and when a download is tried again. */
import type { Clock } from '../clock.ts';
import { pauseAfter } from '../back-off.ts';
import { isRefusal, isServerAway, messageOf } from '../errors.ts';

export interface AttemptOptions {
  /** Attempts that may fail for other reasons than a server that is away. */
  readonly attempts: number;
  /** Milliseconds to put up with a server that is away. */
  readonly patience: number;
  readonly clock: Clock;
  readonly random: () => number;
}

const backOff = { first: 500, longest: 60_000 };

/** Repeats `work` until it succeeds, the server refuses, or the attempts are used up; `onWait` hears why it waits. */
export async function inAttempts<Result>(
  options: AttemptOptions,
  signal: AbortSignal,
  onWait: (reason: string) => void,
  work: () => Promise<Result>,
): Promise<Result> {
  const { clock, random } = options;
  let left = options.attempts;
  let awaySince: number | undefined;
  for (let failures = 1; ; failures += 1) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (isRefusal(error)) throw error;
      if (isServerAway(error)) {
        awaySince ??= clock.elapsed();
        if (clock.elapsed() - awaySince > options.patience) throw error;
      } else {
        awaySince = undefined;
        left -= 1;
        if (left <= 0) throw error;
      }
      onWait(messageOf(error));
      await clock.sleep(pauseAfter(failures, backOff, random()), signal);
    }
  }
}
