import { expect, it } from 'vitest';
import type { PoolJob } from '../pool.ts';
import { countEnded, countRefusal, forgiven, noFailures, pauseUntil } from './failures.ts';

const ended = (id: string, failed: boolean): PoolJob => ({
  id,
  workerId: undefined,
  phase: 'ended',
  submittedAt: 0,
  runningSince: 0,
  note: 'FAILED',
  failed,
});
const minute = 60_000;

it('each failure in a row doubles the pause, up to half an hour', () => {
  let failures = noFailures;
  const pauses: number[] = [];
  for (let index = 0; index < 8; index += 1) {
    failures = countEnded(failures, [ended(String(index), true)], 0, { earlier: false });
    pauses.push(pauseUntil(failures, minute) / minute);
  }

  expect(pauses).toEqual([1, 2, 4, 8, 16, 30, 30, 30]);
  expect(failures.total).toBe(8);
});

it('a job is counted once, and one that went well ends the row', () => {
  const jobs = [ended('1', true)];
  const once = countEnded(noFailures, jobs, 5, { earlier: false });

  expect(countEnded(once, jobs, 9, { earlier: false })).toEqual(once);
  expect(countEnded(once, [...jobs, ended('2', false)], 9, { earlier: false }).inARow).toBe(0);
  expect(pauseUntil(forgiven(once), minute)).toBe(0);
});

it('what failed before the program started delays it, and is not its own', () => {
  const failures = countEnded(noFailures, [ended('1', true)], 7, { earlier: true });

  expect(failures).toMatchObject({ inARow: 1, total: 0 });
  expect(pauseUntil(failures, 0)).toBe(7 + 5_000);
});

it('a start that was refused counts like a job that failed', () => {
  const refused = countRefusal(noFailures, 'Slurm says no.', 3);

  expect(pauseUntil(countRefusal(refused, 'Slurm says no.', 4), minute)).toBe(4 + 2 * minute);
});
