import { expect, it } from 'vitest';
import { runMessageFor } from '../testing/run-message.ts';
import { silent } from '../testing/worker-bench.ts';
import { HeldRun } from './held-run.ts';
import { newRecord } from './record.ts';
import type { SavedRuns } from './saved-runs.ts';
import { believableEnd, startStopwatch } from './stopwatch.ts';

let elapsed = 0;
const clock = { elapsed: () => elapsed };

function running(): HeldRun {
  return new HeldRun({
    record: { ...newRecord(runMessageFor(), 0), step: 'watch', startedAt: 1000 },
    directory: 'unused',
    recovered: false,
    saved: {} as SavedRuns,
    log: silent,
    changed: () => undefined,
  });
}

it('a command has run for as long as it was watched, whatever the clock of the machine says', () => {
  const run = running();
  run.stopwatch = startStopwatch(clock, 2);
  elapsed += 3000;

  expect(run.secondsRun(90_000_000)).toBe(5);
  expect(run.secondsRun(0)).toBe(5);
});

it('without somebody who watches, and after the end, it is as the record says', () => {
  const run = running();
  expect(run.secondsRun(4500)).toBe(3.5);
  run.stopwatch = startStopwatch(clock, 0);
  run.record.finishedAt = 2000;
  elapsed += 60_000;
  expect(run.secondsRun(99_000)).toBe(1);
});

it.each([
  ['told in time', 5100, 5100],
  ['of a clock that was set forward', 86_400_000, 5000],
  ['of a clock that was set back', -3_600_000, -3_600_000],
  ['noticed late', 2000, 2000],
])('an end %s is where it can be', (_, told, expected) => {
  const stopwatch = startStopwatch(clock, 0);
  elapsed += 5000;
  const end = believableEnd({ startedAt: 0, finishedAt: told }, stopwatch);
  expect(end).toBe(expected);
  expect(believableEnd({ startedAt: 0, finishedAt: told }, undefined)).toBe(told);
});
