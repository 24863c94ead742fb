import type { Clock } from '../services.ts';

export interface ManualClock extends Clock {
  /** Moves the time on and calls what has become due, in order. */
  advance(milliseconds: number): void;
  /** Sets the wall clock forward or back, as people and machines do: no time passes by it. */
  jump(milliseconds: number): void;
  /** Resolves once somebody waits for exactly so long from now on. */
  awaited(milliseconds: number): Promise<void>;
}

/** A clock that stands still until the test moves it. */
export function manualClock(start = Date.UTC(2031, 0, 1)): ManualClock {
  let now = start;
  let set = 0;
  const timers = new Set<{ due: number; callback: () => void }>();
  const watchers = new Set<{ due: number; resolve: () => void }>();
  return {
    now: () => now + set,
    elapsed: () => now - start,
    jump: (milliseconds) => {
      set += milliseconds;
    },
    after: (milliseconds, callback) => {
      const timer = { due: now + milliseconds, callback };
      timers.add(timer);
      for (const watcher of watchers) if (watcher.due === timer.due) watcher.resolve();
      return () => timers.delete(timer);
    },
    awaited: (milliseconds) =>
      new Promise((resolve) => {
        const due = now + milliseconds;
        if ([...timers].some((timer) => timer.due === due)) resolve();
        else watchers.add({ due, resolve });
      }),
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
