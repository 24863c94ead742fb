import type { Clock } from '../services.ts';

export interface ManualClock extends Clock {
  /** Moves the time on and calls what has become due, in order. */
  advance(milliseconds: number): void;
}

/** A clock that stands still until the test moves it. */
export function manualClock(start = Date.UTC(2031, 0, 1)): ManualClock {
  let now = start;
  const timers = new Set<{ due: number; callback: () => void }>();
  return {
    now: () => now,
    after: (milliseconds, callback) => {
      const timer = { due: now + milliseconds, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance: (milliseconds) => {
      const end = now + milliseconds;
      for (;;) {
        const [next] = [...timers]
          .filter((timer) => timer.due <= end)
          .toSorted((one, other) => one.due - other.due);
        if (next === undefined) break;
        timers.delete(next);
        now = Math.max(now, next.due);
        next.callback();
      }
      now = end;
    },
  };
}
