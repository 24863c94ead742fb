/* A worker that ends, or dies, at every step of a run, and the next one that goes on. */
import { ScriptedRuntime } from '@sheaf/runtimes/testing';
import { eventually } from '@sheaf/testkit';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { aRun, runMessageFor } from '../testing/run-message.ts';
import { changedRuntime, WorkerBench } from '../testing/worker-bench.ts';
import type { RunRecord } from './record.ts';

let bench: WorkerBench;
beforeEach(async () => {
  bench = await WorkerBench.open();
});
afterEach(() => bench.close());

const parent = `0x${'b'.repeat(32)}`;

const stateFile = () => join(bench.workDirectory, 'runs-state', `${aRun}.json`);
const saved = () => JSON.parse(readFileSync(stateFile(), 'utf8')) as RunRecord;
const inStep = (step: RunRecord['step']) =>
  eventually(`saved step ${step}`, () =>
    existsSync(stateFile()) && saved().step === step ? true : undefined,
  );

/** Answers requests to these paths with 503 until told otherwise. */
function closeGate(ending: string): () => void {
  bench.server.intercept = (path, request, response) => {
    if (!path.endsWith(ending)) return false;
    request.resume();
    response.writeHead(503).end('not now');
    return true;
  };
  return () => {
    bench.server.intercept = () => false;
  };
}

it('while dependencies are fetched', async () => {
  const entry = await bench.server.keepFile(parent, 'data');
  const open = closeGate('/transfer/fetch');
  await bench.start();
  bench.server.assign(runMessageFor({ dependencies: [{ parent_uuid: parent, child_path: 'data', entry }] }));
  await bench.reported(aRun, 'preparing', ({ run_status: status }) => status.includes('not now'));
  await bench.stopWorker();
  expect(saved().step).toBe('prepare');

  open();
  await bench.start();

  expect(await bench.finished(aRun)).toMatchObject({ exitcode: 0, epoch: 1 });
  expect(bench.server.requests.filter((request) => request.includes('start_bundle'))).toHaveLength(1);
});

it('while the command runs: it is not started again', async () => {
  await bench.start();
  bench.server.assign(runMessageFor({ command: 'echo once; sleep 0.5; echo over' }));
  await inStep('watch');
  await bench.stopWorker();
  expect(bench.machine.specifications).toHaveLength(1);

  await bench.start();

  expect((await bench.finished(aRun)).exitcode).toBe(0);
  expect(await bench.server.results(aRun)).toMatchObject({ stdout: 'once\nover\n' });
});

it('when the command had ended meanwhile', async () => {
  await bench.start();
  bench.server.assign(runMessageFor({ command: 'echo once; sleep 0.3; exit 7' }));
  await inStep('watch');
  await bench.stopWorker();
  await eventually('end of the command', () => bench.machine.find(`${aRun}.1`)?.exit);

  await bench.start();

  expect((await bench.finished(aRun)).exitcode).toBe(7);
});

it('when nothing is left of the command', async () => {
  await bench.start();
  bench.server.assign(runMessageFor({ command: 'echo once; sleep 60' }));
  await inStep('watch');
  await bench.stopWorker();
  bench.machine.remove(`${aRun}.1`);

  await bench.start();

  const last = await bench.finished(aRun);
  expect(last).toMatchObject({ exitcode: null, failure_message: 'Docker container not found' });
  expect(await bench.server.results(aRun)).toMatchObject({ stdout: 'once\n' });
});

it('between the start of the command and the note of it: the running command is adopted', async () => {
  await bench.start();
  bench.server.assign(runMessageFor({ command: 'echo once; sleep 0.5; echo over' }));
  await inStep('watch');
  await bench.stopWorker();
  const record: RunRecord = { ...saved(), step: 'start', handle: null, startedAt: null };
  writeFileSync(stateFile(), JSON.stringify(record));
  // A command that was started again would find its directory empty.
  writeFileSync(join(bench.runDirectory(aRun), 'mark'), '');

  await bench.start();

  await bench.finished(aRun);
  expect(await bench.server.results(aRun)).toEqual({ stdout: 'once\nover\n', stderr: '', mark: '' });
});

it('before the command was started at all', async () => {
  await bench.start();
  bench.server.assign(runMessageFor({ command: 'echo once; sleep 60' }));
  await inStep('watch');
  await bench.stopWorker();
  const record: RunRecord = { ...saved(), step: 'start', handle: null, startedAt: null };
  writeFileSync(
    stateFile(),
    JSON.stringify({
      ...record,
      message: { ...record.message, bundle: { ...record.message.bundle, command: 'echo again' } },
    }),
  );
  bench.machine.remove(`${aRun}.1`);
  writeFileSync(join(bench.runDirectory(aRun), 'half'), 'of a start that came to nothing');

  await bench.start();

  await bench.finished(aRun);
  expect(await bench.server.results(aRun)).toEqual({ stdout: 'again\n', stderr: '' });
});

it('while results are sent', async () => {
  const open = closeGate('/transfer/pack');
  await bench.start();
  bench.server.assign(runMessageFor({ command: 'echo result; exit 2' }));
  await bench.reported(aRun, 'running', ({ run_status: status }) => status.includes('waiting to try again'));
  await bench.stopWorker();
  expect(saved().step).toBe('upload');

  open();
  await bench.start();

  expect((await bench.finished(aRun)).exitcode).toBe(2);
  expect(await bench.server.results(aRun)).toEqual({ stdout: 'result\n', stderr: '' });
});

it('while results are sent, of a run that was killed: they are sent all the same', async () => {
  const open = closeGate('/transfer/pack');
  await bench.start();
  bench.server.assign(runMessageFor({ command: 'echo result; sleep 60' }));
  await bench.reported(aRun, 'running', ({ run_status: status }) => status.startsWith('Running'));
  bench.server.send({ type: 'kill', uuid: aRun });
  await bench.reported(aRun, 'running', ({ run_status: status }) => status.includes('waiting to try again'));
  await bench.stopWorker();

  open();
  await bench.start();

  expect((await bench.finished(aRun)).failure_message).toBe('Kill requested');
  expect(await bench.server.results(aRun)).toMatchObject({ stdout: 'result\n' });
});

it('while the server has not taken note of the end', async () => {
  bench.server.finalizes = false;
  await bench.start();
  bench.server.assign(runMessageFor({ command: 'exit 4' }));
  await bench.reported(aRun, 'finalizing');
  await inStep('finish');
  await bench.stopWorker();

  bench.server.finalizes = true;
  await bench.start();

  expect((await bench.finished(aRun)).exitcode).toBe(4);
});

it('a run keeps its processors and its dependencies', async () => {
  const entry = await bench.server.keepFile(parent, 'x'.repeat(1000));
  const settings = { cpus: [0], cacheLimit: 10 };
  await bench.start(settings);
  bench.server.assign(
    runMessageFor({
      command: 'sleep 60',
      dependencies: [{ parent_uuid: parent, child_path: 'data', entry }],
    }),
  );
  await inStep('watch');
  await bench.stopWorker();

  await bench.start(settings);
  const other = `0x${'d'.repeat(32)}`;
  bench.server.assign(runMessageFor({ uuid: other }));
  await bench.reported(other, 'preparing', ({ run_status: status }) => status.startsWith('Waiting for'));
  bench.server.send({ type: 'kill', uuid: other });
  await bench.finished(other);

  // The other one has left, and with it the cache was cleaned up.
  const [mount] = bench.machine.specifications[0]?.mounts ?? [];
  expect(readFileSync(mount?.source ?? '', 'utf8')).toHaveLength(1000);
  bench.server.send({ type: 'kill', uuid: aRun });
  await bench.finished(aRun);
  await eventually('a clean cache', () => (existsSync(mount?.source ?? '') ? undefined : true));
});

it('with a kill that could not be carried out any more', async () => {
  const scripted = new ScriptedRuntime(bench.machine);
  // Stopping hangs, as an engine in trouble does.
  const primary = changedRuntime(scripted, { stop: () => Promise.reject(new Error('the engine is upset')) });
  await bench.start({}, { primary, fallback: undefined });
  bench.server.assign(runMessageFor({ command: 'echo a; sleep 60' }));
  await inStep('watch');
  bench.server.send({ type: 'kill', uuid: aRun });
  await eventually('saved kill', () => saved().kill ?? undefined);
  await bench.stopWorker();

  await bench.start();

  expect((await bench.finished(aRun)).failure_message).toBe('Kill requested');
});

it('removes what nobody knows: commands, and run directories', async () => {
  const stranger = `0x${'c'.repeat(32)}`;
  mkdirSync(bench.runDirectory(stranger), { recursive: true });
  await bench.machine.start(`${stranger}.1`, {
    uuid: stranger,
    epoch: 1,
    command: 'sleep 60',
    image: null,
    directory: bench.runDirectory(stranger),
    mounts: [],
    environment: {},
    cpuset: [],
    gpus: [],
    memory: 0,
    network: false,
    sharedMemory: 0,
  });

  await bench.start();

  expect(bench.machine.specifications).toEqual([]);
  expect(readdirSync(join(bench.workDirectory, 'runs'))).toEqual([]);
});

it('puts a record aside that cannot be read', async () => {
  await bench.start();
  await bench.stopWorker();
  writeFileSync(stateFile(), '{"version": 1, "uuid"');

  await bench.start();

  expect(existsSync(`${stateFile()}.unreadable`)).toBe(true);
  bench.server.assign(runMessageFor());
  expect((await bench.finished(aRun)).exitcode).toBe(0);
});

it('waits in the background for a server that is away, when there are runs to go on with', async () => {
  await bench.start();
  bench.server.assign(runMessageFor({ command: 'echo once; sleep 0.2' }));
  await inStep('watch');
  await bench.stopWorker();
  await bench.server.goAway();

  await bench.start();
  await bench.server.listen();

  expect((await bench.finished(aRun)).exitcode).toBe(0);
});

it('does not start where there is no server and nothing to go on with', async () => {
  await bench.server.goAway();

  await expect(bench.start()).rejects.toThrow(
    /^Cannot reach http:\S+: nothing listens there\. Is the server running, and is --server right\?$/,
  );

  await bench.server.listen();
  await bench.start();
});

it('refuses a second worker in the same directory', async () => {
  await bench.start();
  // As another process would have it: alive, and not this one.
  writeFileSync(join(bench.workDirectory, 'worker.lock'), lockOf(1));

  await expect(bench.start()).rejects.toThrow(/^Another worker \(process 1\) uses /);
});

function lockOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
}
