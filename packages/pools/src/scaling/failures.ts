/** Jobs that fail one after the other: how many, and how long to leave the pool alone (a broken set-up is not tried every minute). */
import type { PoolJob } from '../pool.ts';

const longestPause = 30 * 60_000;
const shortestPause = 5_000;

export interface Failures {
  /** Since something last went well. */
  readonly inARow: number;
  /** Jobs that have failed since this program started. */
  readonly total: number;
  /** Milliseconds since the epoch. */
  readonly last: number | undefined;
  /** Of the last one; empty for none. */
  readonly note: string;
  /** Jobs whose end has been counted. */
  readonly counted: ReadonlySet<string>;
}

export const noFailures: Failures = { inARow: 0, total: 0, last: undefined, note: '', counted: new Set() };

/**
 * Counts the jobs that have ended since the look before.
 * @param earlier it is the first look: what ended before this program started delays the next start, but is not its own failure
 * @param expected workers that have never signed in: a job that ends well without that, as a wrong program does, delays the next, too
 */
export function countEnded(
  failures: Failures,
  jobs: readonly PoolJob[],
  now: number,
  { earlier, expected = new Set() }: { earlier: boolean; expected?: ReadonlySet<string> },
): Failures {
  const ended = jobs.filter(({ phase }) => phase === 'ended');
  let { inARow, total, last, note } = failures;
  for (const job of ended) {
    if (failures.counted.has(job.id)) continue;
    if (job.failed) {
      inARow += 1;
      total += earlier ? 0 : 1;
      last = now;
      note = `job ${job.id}: ${job.note}`;
    } else if (job.workerId !== undefined && expected.has(job.workerId)) {
      inARow += 1;
      last = now;
      note = `job ${job.id} has ended before its worker signed in`;
    } else inARow = 0;
  }
  return { inARow, total, last, note, counted: new Set(ended.map(({ id }) => id)) };
}

/** A start that was refused. */
export function countRefusal(failures: Failures, sentence: string, now: number): Failures {
  return { ...failures, inARow: failures.inARow + 1, last: now, note: sentence };
}

/** A worker of the pool has signed in: the set-up works. */
export function forgiven(failures: Failures): Failures {
  return { ...failures, inARow: 0 };
}

/** Not before then is the next one started: each failure in a row doubles the pause. Milliseconds since the epoch. */
export function pauseUntil({ inARow, last }: Failures, startPause: number): number {
  if (inARow === 0 || last === undefined) return 0;
  const first = Math.max(startPause, shortestPause);
  return last + Math.min(longestPause, first * 2 ** Math.min(inARow - 1, 20));
}
