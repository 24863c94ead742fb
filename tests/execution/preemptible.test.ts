/* Workers that may be taken away share one work directory: the next one goes on where the last one was (execution.md §25). */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { eventually } from '@sheaf/testkit';
import { Installation } from '../support/installation.ts';
import { WorkerProgram } from '../support/worker-program.ts';

let installation: Installation;
let directory: string;
let data: string;
const workers: WorkerProgram[] = [];
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sheaf-preempted-'));
  installation = new Installation('sandbox', { SHEAF_WORKER_TIMEOUT_SECONDS: '3' });
  await installation.startServer();
  writeFileSync(join(directory, 'data'), 'input\n');
  data = await installation.ok('upload', join(directory, 'data'));
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
});
afterAll(async () => {
  await installation.stop();
  rmSync(directory, { recursive: true, force: true });
});

const pool = 'pool';
const runDirectory = (uuid: string) => join(installation.home, pool, 'runs', uuid);

async function start(id: string, ...words: string[]): Promise<WorkerProgram> {
  const connection = [
    '--server',
    installation.url,
    '--credentials',
    join(installation.home, 'administrator.json'),
  ];
  const place = ['--work-dir', join(installation.home, pool), '--id', id, '--runtime', 'sandbox'];
  const kind = ['--preemptible', '--tag', 'pool', '--tag-exclusive'];
  const worker = new WorkerProgram([...connection, ...place, ...kind, ...words]);
  workers.push(worker);
  return await worker.started();
}

it('goes on elsewhere with its files when the machine is announced to go', async () => {
  const first = await start('first', '--pass-down-termination');
  const uuid = await installation.ok(
    'run',
    `data:${data}`,
    'if test -e checkpoint; then cat checkpoint data; else cp data checkpoint; sleep 600; fi',
    '--request-queue',
    'pool',
  );
  await eventually('a checkpoint', () =>
    Promise.resolve(existsSync(join(runDirectory(uuid), 'checkpoint')) || undefined),
  );
  await first.stop();
  await installation.inState(uuid, 'staged');
  expect(existsSync(join(runDirectory(uuid), 'checkpoint'))).toBe(true);
  await start('second');

  const bundle = await installation.finished(uuid);
  expect(bundle.metadata['failure_message'] ?? null).toBeNull();
  expect(bundle).toMatchObject({ state: 'ready', metadata: { on_preemptible_worker: true } });
  expect(bundle.metadata['remote_history']).toHaveLength(2);
  expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('input\ninput');
  expect(await installation.ok('cat', `${uuid}/checkpoint`)).toBe('input');
});

it('belongs to the second worker alone, whatever the first one does when it is back', async () => {
  const first = await start('first');
  const uuid = await installation.ok(
    'run',
    `data:${data}`,
    'cat data >> attempts; while ! test -e go; do sleep 0.1; done; cat attempts',
    '--request-queue',
    'pool',
  );
  await installation.inState(uuid, 'running');
  await eventually('the first attempt', () =>
    Promise.resolve(existsSync(join(runDirectory(uuid), 'attempts')) || undefined),
  );
  // It hangs, as a machine does that is being moved.
  first.child.kill('SIGSTOP');
  await installation.inState(uuid, 'staged');
  const second = await start('second');
  await eventually('the second attempt', () => {
    const text = readFileSync(join(runDirectory(uuid), 'attempts'), 'utf8');
    return Promise.resolve(text === 'input\ninput\n' || undefined);
  });
  await installation.inState(uuid, 'running');
  first.child.kill('SIGCONT');
  await eventually('the first worker to drop the run', () =>
    Promise.resolve(/run over/.test(first.stdout + first.stderr) || undefined),
  );

  expect((await installation.bundle(uuid)).state).toBe('running');
  expect(readFileSync(join(runDirectory(uuid), 'attempts'), 'utf8')).toBe('input\ninput\n');
  writeFileSync(join(runDirectory(uuid), 'go'), '');
  const bundle = await installation.finished(uuid);
  expect(bundle.state).toBe('ready');
  expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('input\ninput');
  expect(second.child.exitCode).toBeNull();
});
