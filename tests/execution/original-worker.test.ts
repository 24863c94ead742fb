/* A server and a worker that speaks and behaves as original ones do (execution.md §2-§8), as processes of their own. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { eventually } from '@sheaf/testkit';
import { end, Installation } from '../support/installation.ts';
import { startOriginalWorker } from '../support/original-worker.ts';
import type { WorkerProgram } from '../support/worker-program.ts';

/** Seconds between its check-ins: fewer than usual, so that these tests do not take long. */
const often = ['--checkin-frequency-seconds', '0.5'];

let installation: Installation;
let worker: WorkerProgram;
let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sheaf-original-'));
  installation = new Installation('sandbox');
  await installation.startServer();
  worker = await startOriginalWorker(installation, 'node7(4242)', often);
});
afterEach(() => {
  // Nothing has put it to sleep for an hour.
  expect(worker.stdout).not.toContain('SLEEP');
  expect(worker.child.exitCode).toBeNull();
});
afterAll(async () => {
  await worker.stop('SIGKILL');
  await installation.stop();
  rmSync(directory, { recursive: true, force: true });
});

const run = (command: string, ...words: string[]) => installation.ok('run', ...words, command);
const cat = (target: string) => installation.ok('cat', target);

it('executes a run, and measures all four of its stages', async () => {
  const uuid = await run('echo hello; echo oops >&2; mkdir out; echo result > out/file');
  const bundle = await installation.finished(uuid);

  expect(bundle.metadata['failure_message'] ?? null).toBeNull();
  expect(bundle.state).toBe('ready');
  expect(await cat(`${uuid}/stdout`)).toBe('hello');
  expect(await cat(`${uuid}/stderr`)).toBe('oops');
  expect(await cat(`${uuid}/out/file`)).toBe('result');
  for (const stage of ['preparing', 'running', 'cleaning_up', 'uploading_results']) {
    expect(bundle.metadata[`time_${stage}`]).toBeGreaterThan(0);
  }
  expect(bundle.metadata['data_size']).toBe('hello\noops\nresult\n'.length);
});

it('fetches files, directories and paths inside them, and leaves none of them in the results', async () => {
  mkdirSync(join(directory, 'data', 'deep'), { recursive: true });
  writeFileSync(join(directory, 'data', 'deep', 'one'), 'first\n');
  writeFileSync(join(directory, 'data', 'two'), 'second\n');
  const data = await installation.ok('upload', join(directory, 'data'));
  const file = await installation.ok('upload', join(directory, 'data', 'two'));
  const uuid = await run(
    'cat whole/deep/one part single foo/bar/two',
    `whole:${data}`,
    `part:${data}/deep/one`,
    `single:${file}`,
    `foo/bar:${data}`,
  );

  expect((await installation.finished(uuid)).state).toBe('ready');
  expect(await cat(`${uuid}/stdout`)).toBe('first\nfirst\nsecond\nsecond');
  // Seen through the run into its parents, although they are no part of it.
  expect(await cat(`${uuid}/part`)).toBe('first');
  expect((await installation.bundle(uuid)).metadata['data_size']).toBe(
    'first\nfirst\nsecond\nsecond\n'.length,
  );
});

it('says that a run has failed, and leaves out what is excluded', async () => {
  const words = ['run', 'touch a.txt bye.txt b.log; exit 3', '--exclude-patterns', '*bye*.txt', '*.log'];
  const uuid = await installation.ok(...words);
  const bundle = await installation.finished(uuid);

  expect(bundle).toMatchObject({
    state: 'failed',
    metadata: { failure_message: 'Exit code 3', exitcode: 3 },
  });
  const { data } = await installation.api<{ data: { contents: { name: string }[] } }>(
    'GET',
    `/bundles/${uuid}/contents/info/?depth=1`,
  );
  expect(data.contents.map(({ name }) => name)).toEqual(['a.txt', 'stderr', 'stdout']);
});

it('is read, written to, spoken to and killed while it runs', async () => {
  const program = [
    'import socket, time',
    's = socket.create_server(("127.0.0.1", 0))',
    'print(s.getsockname()[1], flush=True)',
    'c, _ = s.accept()',
    'c.sendall(b"Hi this is " + c.recv(100)); c.close()',
    'time.sleep(600)',
  ].join('\n');
  const uuid = await run(`python3 -u -c '${program}'`);
  await installation.inState(uuid, 'running');
  const port = await eventually('the port of the service', async () => {
    const { code, stdout } = await installation.cl(['cat', `${uuid}/stdout`]);
    return code === 0 && stdout.trim() !== '' ? stdout.trim() : undefined;
  });
  const missing = await installation.cl(['cat', `${uuid}/missing`]);
  expect(missing.code).not.toBe(0);
  expect(await installation.ok('netcat', uuid, port, 'dawg')).toContain('Hi this is dawg');
  await installation.ok('write', `${uuid}/message`, 'hello there');
  await eventually('the written file', async () => {
    const { code, stdout } = await installation.cl(['cat', `${uuid}/message`]);
    return code === 0 && stdout.trim() === 'hello there' ? true : undefined;
  });
  await installation.ok('kill', uuid);

  const killed = await installation.finished(uuid);
  expect(killed.state).toBe('killed');
  expect(killed.metadata['actions']).toEqual(['write\tmessage\thello there', 'kill']);
  expect(await cat(`${uuid}/message`)).toBe('hello there');
});

it('goes on after the server was away for a while', async () => {
  const uuid = await run('echo before; sleep 3; echo after');
  await installation.inState(uuid, 'running');
  await end(installation.server, 'SIGTERM');
  await installation.startServer();

  expect((await installation.finished(uuid)).state).toBe('ready');
  expect(await cat(`${uuid}/stdout`)).toBe('before\nafter');
  const next = await run('echo next');
  expect((await installation.finished(next)).state).toBe('ready');
});

it('waits for the answer to an upload by stray bytes on the connection', async () => {
  await worker.stop('SIGKILL');
  worker = await startOriginalWorker(installation, 'impatient', [
    ...often,
    '--tag',
    'impatient',
    '--silence-seconds',
    '0.002',
  ]);
  const uuid = await run('head -c 30000000 /dev/urandom > large', '--request-queue', 'impatient');

  expect(await installation.finished(uuid)).toMatchObject({
    state: 'ready',
    metadata: { data_size: 30_000_000 },
  });
  expect(worker.stdout).toContain('one stray byte');
});
