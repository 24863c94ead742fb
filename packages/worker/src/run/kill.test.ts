/* Killing a run, whatever it is just doing. */
import { ScriptedRuntime } from '@sheaf/runtimes/testing';
import { eventually } from '@sheaf/testkit';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { aRun, runMessageFor } from '../testing/run-message.ts';
import { changedRuntime, WorkerBench } from '../testing/worker-bench.ts';

let bench: WorkerBench;
beforeEach(async () => {
  bench = await WorkerBench.open();
});
afterEach(() => bench.close());

const parent = `0x${'b'.repeat(32)}`;
const other = `0x${'e'.repeat(32)}`;
const kill = { type: 'kill', uuid: aRun } as const;

it('while a dependency is downloaded: the download ends, and nothing is stored', async () => {
  const entry = await bench.server.keepFile(parent, 'data');
  let broken = false;
  bench.server.intercept = (path, request, response) => {
    if (!path.endsWith('/transfer/fetch')) return false;
    // Never answered.
    response.once('close', () => {
      broken = true;
    });
    request.resume();
    return true;
  };
  await bench.start();
  bench.server.assign(runMessageFor({ dependencies: [{ parent_uuid: parent, child_path: 'data', entry }] }));
  await bench.reported(aRun, 'preparing', ({ run_status: status }) =>
    status.startsWith('Downloading dependency'),
  );

  bench.server.send(kill);

  const last = await bench.finished(aRun);
  expect(last).toMatchObject({ failure_message: 'Kill requested', exitcode: null });
  expect(bench.server.committed.has(aRun)).toBe(false);
  await eventually('end of the download', () => broken || undefined);
});

it('while it waits for its image: the wait ends', async () => {
  let aborted = false;
  const primary = changedRuntime(new ScriptedRuntime(bench.machine), {
    prepareImage: (_, options) => {
      const { signal } = options;
      options.onProgress('Downloading 1m/80m (1% done)');
      return new Promise((__, reject) => {
        signal.addEventListener('abort', () => {
          aborted = true;
          reject(signal.reason as Error);
        });
      });
    },
  });
  await bench.start({}, { primary, fallback: undefined });
  bench.server.assign(runMessageFor());
  await bench.reported(
    aRun,
    'preparing',
    ({ run_status: status }) => status === 'Downloading 1m/80m (1% done)',
  );

  bench.server.send({ ...kill, kill_message: 'Kill requested: enough' });

  expect((await bench.finished(aRun)).failure_message).toBe('Kill requested: enough');
  expect(aborted).toBe(true);
});

it('while it waits for a place: the wait ends, and the run that has the place goes on', async () => {
  await bench.start({ slots: 1 });
  bench.server.assign(runMessageFor({ uuid: other, command: 'sleep 60' }));
  await bench.reported(other, 'running');
  bench.server.assign(runMessageFor());
  await bench.reported(aRun, 'preparing', ({ run_status: status }) => status.startsWith('Waiting'));

  bench.server.send(kill);

  expect(await bench.finished(aRun)).toMatchObject({ failure_message: 'Kill requested', exitcode: null });
  expect(bench.server.reportsOf(other).at(-1)?.state).toBe('running');
});

it('while it is being started: what was started does not survive', async () => {
  let starting = false;
  const scripted = new ScriptedRuntime(bench.machine);
  const primary = changedRuntime(scripted, {
    start: async (specification, signal) => {
      await scripted.start(specification, signal);
      starting = true;
      // The engine has it, but its answer does not come.
      return await new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    },
  });
  await bench.start({}, { primary, fallback: undefined });
  bench.server.assign(runMessageFor({ command: 'sleep 60' }));
  await eventually('start', () => starting || undefined);

  bench.server.send(kill);

  expect((await bench.finished(aRun)).failure_message).toBe('Kill requested');
  expect(bench.machine.specifications).toEqual([]);
});

it('while its command runs: what it has written is stored, and there is no exit code', async () => {
  await bench.start();
  bench.server.assign(runMessageFor({ command: 'echo so far; sleep 60' }));
  await bench.reported(aRun, 'running');

  bench.server.send(kill);

  const last = await bench.finished(aRun);
  expect(last).toMatchObject({ failure_message: 'Kill requested', exitcode: null });
  expect(await bench.server.results(aRun)).toMatchObject({ stdout: 'so far\n' });
});

it('repeated by the server with every report: the results are stored all the same', async () => {
  let open = false;
  bench.server.intercept = (path, request, response) => {
    if (!path.endsWith('/transfer/pack') || open) return false;
    request.resume();
    response.writeHead(503).end('not now');
    return true;
  };
  await bench.start();
  bench.server.assign(runMessageFor({ command: 'echo so far; sleep 60' }));
  await bench.reported(aRun, 'running', ({ run_status: status }) => status.startsWith('Running'));
  bench.server.killed.set(aRun, undefined);
  bench.server.send(kill);

  // The report that says so is answered with another kill, while the results are on their way.
  await bench.reported(aRun, 'running', ({ run_status: status }) => status.includes('waiting to try again'));
  open = true;

  expect((await bench.finished(aRun)).failure_message).toBe('Kill requested');
  expect(await bench.server.results(aRun)).toMatchObject({ stdout: 'so far\n' });
});

it('while its results are sent: they are given up', async () => {
  bench.server.intercept = (path, request, response) => {
    if (!path.endsWith('/transfer/pack')) return false;
    request.resume();
    response.writeHead(503).end('not now');
    return true;
  };
  await bench.start();
  bench.server.assign(runMessageFor({ command: 'echo done' }));
  await bench.reported(aRun, 'running', ({ run_status: status }) => status.includes('waiting to try again'));

  bench.server.send(kill);

  const last = await bench.finished(aRun);
  expect(last).toMatchObject({ failure_message: 'Kill requested', exitcode: 0 });
  expect(bench.server.committed.has(aRun)).toBe(false);
});

it('by a person after a limit was passed: it counts as killed by the person', async () => {
  bench.server.intercept = (path, request, response) => {
    if (!path.endsWith('/transfer/pack')) return false;
    request.resume();
    response.writeHead(503).end('not now');
    return true;
  };
  await bench.start();
  bench.server.assign(runMessageFor({ command: 'sleep 60', resources: { time: 0.1 } }));
  await bench.reported(aRun, 'running', ({ run_status: status }) => status.includes('waiting to try again'));

  bench.server.send(kill);

  expect((await bench.finished(aRun)).failure_message).toBe('Kill requested');
});

it('when it is over already: nothing happens', async () => {
  bench.server.finalizes = false;
  await bench.start();
  bench.server.assign(runMessageFor({ command: 'exit 3' }));
  await bench.reported(aRun, 'finalizing');

  bench.server.send(kill);
  await eventually('acknowledgement', () => (bench.server.undelivered === 0 ? true : undefined));
  bench.server.send({ type: 'mark_finalized', uuid: aRun });

  const last = await bench.finished(aRun);
  expect(last).toMatchObject({ exitcode: 3, failure_message: null });
});

it('does not make the worker forget the other half of a disk full of results', async () => {
  await bench.start();
  bench.server.assign(runMessageFor({ command: 'echo a; sleep 60' }));
  await bench.reported(aRun, 'running');
  writeFileSync(join(bench.runDirectory(aRun), 'large'), Buffer.alloc(3 << 20, 'x'));

  bench.server.send(kill);

  await bench.finished(aRun);
  expect((await bench.server.results(aRun))['large']).toHaveLength(3 << 20);
});
