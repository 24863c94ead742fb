/** Time as the program sees it; injected, so that tests own it. */
import { setTimeout as after } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Returns after the milliseconds, or early when the signal fires. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** Node.js waits no longer, and not at all if asked to. */
export const longestWait = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(milliseconds, signal) {
    try {
      await after(Math.min(milliseconds, longestWait), undefined, { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  },
};
