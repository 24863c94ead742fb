/* For how long a command has run, whatever somebody does to the machine's clock meanwhile. */
import type { Clock } from '../clock.ts';

/** Seconds. */
export type Stopwatch = () => number;

/** @param before seconds that the command has run already */
export function startStopwatch(clock: Pick<Clock, 'elapsed'>, before: number): Stopwatch {
  const began = clock.elapsed();
  return () => before + (clock.elapsed() - began) / 1000;
}

/** Seconds by which those who count may differ: the end is told a moment after it, and the beginning noted a moment before. */
const tolerated = 2;

/**
 * When a command ended, as the record keeps it. Runtimes tell its times by the machine's clock: where that was set forward
 * meanwhile, the stopwatch of who watched it is right. The other way round it may just have been noticed late.
 * @param times milliseconds since the epoch
 */
export function believableEnd(
  { startedAt, finishedAt }: { startedAt: number; finishedAt: number },
  stopwatch: Stopwatch | undefined,
): number {
  const watched = stopwatch?.();
  const told = (finishedAt - startedAt) / 1000;
  return watched !== undefined && told > watched + tolerated ? startedAt + watched * 1000 : finishedAt;
}
