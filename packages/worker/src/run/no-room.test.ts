/* What a run is told to have failed of on a disk that was full, and may not be any more. */
import { RuntimeError, type Runtime } from '@sheaf/runtimes';
import { eventually } from '@sheaf/testkit';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runMessageFor } from '../testing/run-message.ts';
import { silent } from '../testing/worker-bench.ts';
import { HeldRun } from './held-run.ts';
import { newRecord, type RunRecord } from './record.ts';
import { executeRun } from './run-loop.ts';
import { SavedRuns } from './saved-runs.ts';
import { collect } from './steps/collect.ts';
import type { RunTools } from './tools.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sheaf-no-room-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const failed = { exitCode: 1, outOfMemory: false, message: null, startedAt: 0, finishedAt: 1 };

async function heldRun(changes: Partial<RunRecord>): Promise<HeldRun> {
  return new HeldRun({
    record: {
      ...newRecord(runMessageFor({ resources: { disk: 1 << 30 } }), 0),
      runtime: 'scripted',
      ...changes,
    },
    directory: join(directory, 'run'),
    recovered: false,
    saved: await SavedRuns.open(join(directory, 'states'), silent),
    log: silent,
    changed: () => undefined,
  });
}

/** Of all that a worker has, what these steps use. */
function toolsWith(
  runtime: Partial<Runtime>,
  diskIsFull: () => boolean,
): { tools: RunTools; end: () => void } {
  const shutdown = new AbortController();
  const clock = { now: () => 2, elapsed: () => 2, sleep: () => Promise.resolve() };
  const primary = { name: 'scripted', capabilities: {}, list: () => Promise.resolve([]), ...runtime };
  const tools = {
    runtimes: { primary, fallback: undefined },
    settings: { preemptible: false, sharedMemory: 0 },
    resources: { leave: () => undefined },
    diskIsFull: () => Promise.resolve(diskIsFull()),
    clock,
    random: () => 1,
    log: silent,
    shutdown: shutdown.signal,
  } as unknown as RunTools;
  return { tools, end: () => shutdown.abort(new Error('the worker ends')) };
}

it.each([
  [true, 'disk-full'],
  [false, 'engine-failed'],
])('a supervisor that ends without a word, on a disk that is full: %s', async (full, cause) => {
  const start = () => Promise.reject(new RuntimeError('its supervisor ended at once', { userError: false }));
  const { tools, end } = toolsWith({ start }, () => full);
  const run = await heldRun({ step: 'start' });

  const ended = executeRun(run, tools, () => undefined);
  await eventually('the end of the run', () => (run.record.step === 'finish' ? true : undefined));
  end();

  await expect(ended).rejects.toThrow('the worker ends');
  expect(run.record.failureCause).toBe(cause);
});

it('looks at the disk before anything of the run is removed, which makes room', async () => {
  let full = true;
  const destroy = () => {
    full = false;
    return Promise.resolve();
  };
  const { tools } = toolsWith({ destroy }, () => full);
  const run = await heldRun({
    step: 'collect',
    handle: { runtime: 'scripted', uuid: 'x', epoch: 1, data: {} },
    startedAt: 0,
    finishedAt: 1,
    exit: failed,
  });
  run.save = () => Promise.resolve();
  mkdirSync(run.directory);
  writeFileSync(join(run.directory, 'out'), 'half of wh');

  await collect({
    run,
    tools,
    signal: new AbortController().signal,
    hashed: undefined,
    unstorable: undefined,
    destroying: undefined,
  });

  expect(full).toBe(false);
  expect(run.record.failureCause).toBe('disk-full');
  expect(run.record.failure).toMatch(/^Exit code 1\. The disk of the worker was full/);
});
