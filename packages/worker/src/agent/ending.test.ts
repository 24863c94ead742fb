/* How a worker ends, and what becomes of its runs. */
import { eventually } from '@sheaf/testkit';
import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aRun, runMessageFor } from '../testing/run-message.ts';
import { WorkerBench } from '../testing/worker-bench.ts';
import { reasonToLeave } from './leaving.ts';

let bench: WorkerBench;
beforeEach(async () => {
  bench = await WorkerBench.open();
});
afterEach(() => bench.close());

it('leaves its runs alone, and does not say goodbye while it has some', async () => {
  await bench.start();
  bench.server.assign(runMessageFor({ command: 'sleep 60' }));
  await bench.reported(aRun, 'running');

  await bench.stopWorker();

  expect(bench.machine.find(`${aRun}.1`)?.exit).toBeUndefined();
  expect(bench.server.checkouts).toBe(0);
});

it('says goodbye when it has none', async () => {
  await bench.start();
  await bench.stopWorker();

  expect(bench.server.checkouts).toBe(1);
});

describe('told to pass termination down', () => {
  it('gives its runs back before it ends', async () => {
    await bench.start({ passDownTermination: true });
    bench.server.assign(runMessageFor({ command: 'echo a; sleep 60' }));
    await bench.reported(aRun, 'running');

    await bench.stopWorker();

    expect(bench.server.reportsOf(aRun).at(-1)?.state).toBe('staged');
    expect(bench.server.reportsOf(aRun).some(({ state }) => state === 'finalizing')).toBe(false);
    expect(bench.server.committed.has(aRun)).toBe(false);
    expect(bench.hasTraces(aRun)).toBe(false);
    expect(bench.server.checkouts).toBe(1);
  });

  it('gives back runs that are only preparing, and those whose results are on their way', async () => {
    const [preparing, uploading] = [aRun, `0x${'e'.repeat(32)}`];
    bench.server.intercept = (path, request, response) => {
      if (!path.endsWith('/transfer/fetch') && !path.endsWith('/transfer/pack')) return false;
      request.resume();
      response.writeHead(503).end('not now');
      return true;
    };
    const entry = await bench.server.keepFile('parent', 'data');
    await bench.start({ passDownTermination: true });
    bench.server.assign(
      runMessageFor({
        uuid: preparing,
        dependencies: [{ parent_uuid: 'parent', child_path: 'data', entry }],
      }),
    );
    bench.server.assign(runMessageFor({ uuid: uploading, command: 'echo done' }));
    await bench.reported(preparing, 'preparing', ({ run_status: status }) => status.includes('not now'));
    await bench.reported(uploading, 'running', ({ run_status: status }) => status.includes('not now'));

    await bench.stopWorker();

    for (const uuid of [preparing, uploading]) {
      expect(bench.server.reportsOf(uuid).at(-1)?.state).toBe('staged');
      expect(bench.hasTraces(uuid)).toBe(false);
    }
  });

  it('takes no more runs', async () => {
    bench.server.finalizes = false;
    await bench.start({ passDownTermination: true });
    bench.server.assign(runMessageFor({ command: 'exit 0' }));
    await bench.reported(aRun, 'finalizing');

    const stopping = bench.stopWorker();
    await eventually('farewell', () => bench.server.checkins.find(({ is_terminating: ends }) => ends));
    bench.server.assign(runMessageFor({ uuid: `0x${'d'.repeat(32)}` }));
    await eventually('acknowledgement', () => (bench.server.undelivered === 0 ? true : undefined));
    bench.server.send({ type: 'mark_finalized', uuid: aRun });
    await stopping;

    expect(bench.server.reportsOf(`0x${'d'.repeat(32)}`)).toEqual([]);
    expect(
      bench.server.requests.some((request) => request.includes(`start_bundle/0x${'d'.repeat(32)}`)),
    ).toBe(false);
  });
});

it('ends after the number of runs it was told, and says how many it still takes', async () => {
  const worker = await bench.start({ exitAfterRuns: 1 });
  expect(bench.server.checkins[0]?.exit_after_num_runs).toBe(1);
  bench.server.assign(runMessageFor({ command: 'sleep 0.2' }));
  await bench.reported(aRun, 'running');
  bench.server.assign(runMessageFor({ uuid: `0x${'d'.repeat(32)}` }));

  await worker.ended;

  expect(bench.server.checkins.at(-1)?.exit_after_num_runs).toBe(0);
  expect(bench.server.reportsOf(aRun).at(-1)?.state).toBe('finalizing');
  expect(bench.server.reportsOf(`0x${'d'.repeat(32)}`)).toEqual([]);
});

it('told to drain, takes no more runs, says so at once, finishes what it has, and ends', async () => {
  const worker = await bench.start();
  bench.server.assign(runMessageFor({ command: 'sleep 0.5; echo done' }));
  await bench.reported(aRun, 'running');

  worker.drain();
  worker.drain();
  const late = `0x${'d'.repeat(32)}`;
  bench.server.assign(runMessageFor({ uuid: late }));
  await worker.ended;

  expect(bench.server.checkins.some((checkin) => checkin.is_terminating && checkin.runs.length > 0)).toBe(
    true,
  );
  expect(bench.server.reportsOf(aRun).at(-1)).toMatchObject({ state: 'finalizing', exitcode: 0 });
  expect(bench.server.reportsOf(late)).toEqual([]);
  expect(bench.server.checkouts).toBe(1);
});

it('ends when it is idle, and removes its directory where it was told to', async () => {
  const worker = await bench.start({ exitWhenIdle: true, deleteWorkDirectoryOnExit: true });

  await worker.ended;

  expect(existsSync(bench.workDirectory)).toBe(false);
});

describe('the reason to leave', () => {
  const settings = { exitWhenIdle: true, idleSeconds: 10, exitAfterRuns: 5 };
  const idle = { runs: 0, started: 1, idleSeconds: 11, inTouch: true, draining: false };

  it.each([
    { now: idle, leaves: true },
    { now: { ...idle, idleSeconds: 10 }, leaves: false },
    { now: { ...idle, runs: 1 }, leaves: false },
    { now: { ...idle, inTouch: false }, leaves: false },
    { now: { ...idle, idleSeconds: 0, started: 5 }, leaves: true },
    { now: { ...idle, started: 5, runs: 1 }, leaves: false },
  ])('$now', ({ now, leaves }) => {
    expect(reasonToLeave(settings, now) !== undefined).toBe(leaves);
  });

  it('is none without the flag', () => {
    const staying = { ...settings, exitWhenIdle: false };
    expect(reasonToLeave(staying, idle)).toBeUndefined();
    expect(reasonToLeave(staying, { ...idle, draining: true })).toMatch(/told to end/);
    expect(reasonToLeave(staying, { ...idle, draining: true, runs: 1 })).toBeUndefined();
  });
});
