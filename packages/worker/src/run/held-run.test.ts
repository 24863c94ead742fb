import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Urgency } from '../agent/reporter.ts';
import { runMessageFor } from '../testing/run-message.ts';
import { silent } from '../testing/worker-bench.ts';
import { HeldRun } from './held-run.ts';
import { newRecord, type Step } from './record.ts';
import { SavedRuns } from './saved-runs.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sheaf-held-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

it('is told of at once where somebody waits for it: not for each step, nor for a command that may end in a moment', async () => {
  const told: Urgency[] = [];
  const run = new HeldRun({
    record: newRecord(runMessageFor(), 0),
    directory,
    recovered: false,
    saved: await SavedRuns.open(join(directory, 'states'), silent),
    log: silent,
    changed: (urgency) => told.push(urgency),
  });
  const urgencyOf = (step: Step): Urgency | undefined => {
    run.enter(step, 0);
    return told.at(-1);
  };

  expect([urgencyOf('start'), urgencyOf('watch'), urgencyOf('collect'), urgencyOf('upload')]).toEqual(
    Array.from({ length: 4 }, () => 'soon'),
  );
  expect([urgencyOf('finish'), urgencyOf('restaged')]).toEqual(['now', 'now']);
});

it.each([
  ['ENOSPC', true],
  ['EIO', false],
])('a record that cannot be saved because of %s tells whether the command had no room', async (code, met) => {
  const saved = await SavedRuns.open(join(directory, 'states'), silent);
  vi.spyOn(saved, 'save').mockRejectedValue(Object.assign(new Error('write'), { code }));
  const run = new HeldRun({
    record: newRecord(runMessageFor(), 0),
    directory,
    recovered: false,
    saved,
    log: silent,
    changed: () => undefined,
  });

  await run.save();

  expect(run.metFullDisk).toBe(met);
});
