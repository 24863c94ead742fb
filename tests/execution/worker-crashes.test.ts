/* A worker killed with -9 in each step of a run, and started again under the same name: the run ends once, with everything. */
import { existsSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@sheaf/testkit';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { FaultyLine, transfers } from '../support/faulty-line.ts';
import type { Installation } from '../support/installation.ts';

let far: FaultyLine;
let installation: Installation;
beforeAll(async () => {
  far = await FaultyLine.start();
  ({ installation } = far);
});
afterEach(() => far.repair());
afterAll(() => far.stop());

/** The step that the worker has noted down last. */
function stepOf(uuid: string): string | undefined {
  const path = join(far.worker.directory, 'runs-state', `${uuid}.json`);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as { step: string }).step : undefined;
}

const inStep = (uuid: string, ...steps: string[]) =>
  eventually(`${uuid} in ${steps.join(' or ')}`, () =>
    steps.includes(stepOf(uuid) ?? '') ? true : undefined,
  );

async function crash(): Promise<void> {
  await far.worker.end('SIGKILL');
  far.repair();
  await far.worker.start();
}

/** Ready, begun once, with the words it said once. */
async function endsOnce(uuid: string, stdout: string): Promise<void> {
  const bundle = await installation.finished(uuid);
  expect(bundle.metadata['failure_message']).toBeUndefined();
  expect(bundle.state).toBe('ready');
  expect(bundle.metadata['remote_history']).toHaveLength(1);
  expect(await installation.ok('cat', `${uuid}/stdout`)).toBe(stdout);
  await eventually('nothing left on the worker', () =>
    existsSync(far.worker.runDirectory(uuid)) || stepOf(uuid) !== undefined ? undefined : true,
  );
}

it('before it may begin', async () => {
  far.line.fate = ({ path }) => (path.includes('/start_bundle/') ? 'hang' : 'pass');
  const uuid = await installation.ok('run', 'echo begun');
  await far.stuck();

  await crash();

  await endsOnce(uuid, 'begun');
});

it('while a dependency is fetched', async () => {
  const parent = await installation.ok('upload', '-c', 'dependency of a crash');
  far.line.fate = ({ path }) => (path.includes(`${parent}/`) ? 'hang' : 'pass');
  const uuid = await installation.ok('run', `p:${parent}`, 'cat p');
  await far.stuck();
  expect(stepOf(uuid)).toBe('prepare');

  await crash();

  await endsOnce(uuid, 'dependency of a crash');
});

it('while the command is started, or a moment later', async () => {
  const uuid = await installation.ok('run', 'echo $$ >> /proc/self/cwd/begun; sleep 0.5; wc -l < begun');
  await inStep(uuid, 'start', 'watch');

  await crash();

  await endsOnce(uuid, '1');
});

it('while the command runs, and it ends before anybody looks', async () => {
  const uuid = await far.running('echo on its own');
  await inStep(uuid, 'watch');
  await far.worker.end('SIGKILL');

  far.go(uuid);
  await far.worker.start();

  await endsOnce(uuid, 'on its own');
});

it('while results are looked at', async () => {
  const uuid = await far.running('truncate -s 6G large; echo large');
  far.go(uuid);
  await inStep(uuid, 'collect');
  // So that it does not take all that time again.
  const large = join(far.worker.runDirectory(uuid), 'large');
  await far.worker.end('SIGKILL');
  truncateSync(large, 1000);
  await far.worker.start();

  await endsOnce(uuid, 'large');
  expect((await installation.bundle(uuid)).metadata['data_size']).toBe(1006);
});

it('while the server is told of the end, over and over', async () => {
  const uuid = await far.running('echo told');
  const isSent = () => far.line.passed.some(({ path }) => transfers.test(path) && path.includes(uuid));
  // Neither the report nor the answer arrives.
  far.line.fate = ({ path }) => (/\/(report|checkin)$/.test(path) && isSent() ? 'break' : 'pass');
  far.go(uuid);
  await inStep(uuid, 'finish');
  expect((await installation.bundle(uuid)).state).toBe('running');

  await crash();

  await endsOnce(uuid, 'told');
});

it('when the server has heard of the end, and the worker not that it has', async () => {
  const uuid = await far.running('echo heard');
  const isSent = () => far.line.passed.some(({ path }) => transfers.test(path) && path.includes(uuid));
  far.line.fate = ({ path }) => (/\/(report|checkin)$/.test(path) && isSent() ? 'lose the answer' : 'pass');
  far.go(uuid);
  await installation.finished(uuid);
  // The server hears of a step before the worker has it on its disk.
  await eventually('the step on the disk', async () => stepOf(uuid) === 'finish' || undefined);

  await crash();

  await endsOnce(uuid, 'heard');
});
