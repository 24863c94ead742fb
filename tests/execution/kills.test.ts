/* Kill in every state a run can be in: how it ends, what is kept of it, and that nobody waits for it. */
import { existsSync } from 'node:fs';
import { eventually } from '@sheaf/testkit';
import type { BundleAttributes } from '@sheaf/wire';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { FaultyLine, transfers } from '../support/faulty-line.ts';
import type { Installation } from '../support/installation.ts';

let far: FaultyLine;
let installation: Installation;
beforeAll(async () => {
  far = await FaultyLine.start('sandbox', { SHEAF_WORKER_TIMEOUT_SECONDS: '4' });
  ({ installation } = far);
});
afterEach(() => far.repair());
afterAll(() => far.stop());

async function killed(uuid: string): Promise<BundleAttributes> {
  await installation.ok('kill', uuid);
  const bundle = await installation.finished(uuid);
  expect(bundle.state).toBe('killed');
  expect(bundle.metadata['actions']).toEqual(['kill']);
  return bundle;
}

const hasContents = async (uuid: string) => (await installation.cl(['cat', `${uuid}/stdout`])).code === 0;
const leftAlone = (uuid: string) =>
  eventually('the worker to let go of the run', () =>
    existsSync(far.worker.runDirectory(uuid)) ? undefined : true,
  );

it('created: it waits for what it depends on', async () => {
  const parent = await installation.ok('run', 'true', '--request-queue', 'nowhere');
  const uuid = await installation.ok('run', `p:${parent}`, 'cat p/stdout');
  expect((await installation.bundle(uuid)).state).toBe('created');

  await killed(uuid);

  expect(await hasContents(uuid)).toBe(false);
  await killed(parent);
});

it('staged: it waits for a worker', async () => {
  const uuid = await installation.ok('run', 'true', '--request-queue', 'nowhere');
  await installation.inState(uuid, 'staged');

  await killed(uuid);

  expect(await hasContents(uuid)).toBe(false);
});

it('starting: the worker has it, and may not begin', async () => {
  far.line.fate = ({ path }) => (path.includes('/start_bundle/') ? { status: 503 } : 'pass');
  const uuid = await installation.ok('run', 'echo never');
  await installation.inState(uuid, 'starting');

  await installation.ok('kill', uuid);
  far.repair();

  expect((await installation.finished(uuid)).state).toBe('killed');
  expect(await hasContents(uuid)).toBe(false);
  expect(far.worker.log).not.toContain(`"run":"${uuid}","epoch":1,"msg":"run accepted"`);
});

it('preparing: a dependency is on its way', async () => {
  const parent = await installation.ok('upload', '-c', 'x'.repeat(1000));
  far.line.fate = ({ path }) => (path.includes(`${parent}/`) ? 'hang' : 'pass');
  const uuid = await installation.ok('run', `p:${parent}`, 'cat p');
  await installation.inState(uuid, 'preparing');
  await far.stuck();

  const bundle = await killed(uuid);

  expect(bundle.metadata['failure_message']).toBe('Kill requested');
  expect(await hasContents(uuid)).toBe(false);
  await leftAlone(uuid);
});

it('running: what it has written is kept', async () => {
  const uuid = await installation.ok('run', 'echo half; echo result > out; sleep 600');
  await installation.inState(uuid, 'running');
  await eventually('its first words', async () => ((await hasContents(uuid)) ? true : undefined));

  const bundle = await killed(uuid);

  expect(bundle.metadata['failure_message']).toBe('Kill requested');
  expect(bundle.metadata['exitcode']).toBeUndefined();
  expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('half');
  expect(await installation.ok('cat', `${uuid}/out`)).toBe('result');
  await leftAlone(uuid);
});

it('running, and it ignores everybody', async () => {
  const uuid = await installation.ok('run', "trap '' TERM INT HUP; while :; do sleep 1; done");
  await installation.inState(uuid, 'running');

  await killed(uuid);
  await leftAlone(uuid);
});

it('collecting results: they are given up', async () => {
  // So much that it takes seconds to look at, and no space.
  const uuid = await far.running('truncate -s 6G large');
  far.go(uuid);
  await far.says(uuid, /Collecting results/);

  const bundle = await killed(uuid);

  expect(bundle.metadata['failure_message']).toBe('Kill requested');
  expect(await hasContents(uuid)).toBe(false);
  await leftAlone(uuid);
});

it('sending results: they are given up, and cost nothing', async () => {
  const uuid = await far.running('head -c 8000000 /dev/urandom > result');
  far.results({ stallAfter: 2_000_000 });
  far.go(uuid);
  await far.stuck();

  await killed(uuid);

  expect(await hasContents(uuid)).toBe(false);
  expect((await installation.bundle(uuid)).metadata['data_size'] ?? 0).toBe(0);
  await leftAlone(uuid);
});

it('waiting to send results again: it does not wait any longer', async () => {
  const uuid = await far.running('echo x > result');
  far.results({ status: 500 });
  far.go(uuid);
  await far.says(uuid, /waiting to try again/);

  await killed(uuid);
  await leftAlone(uuid);
});

it('finalizing: it is over, and stays what it is', async () => {
  const uuid = await far.running('echo done');
  // The server hears of the end, the worker does not hear that it was heard.
  far.line.fate = ({ path }) =>
    /\/(report|checkin)$/.test(path) &&
    far.line.passed.some((one) => transfers.test(one.path) && one.path.includes(uuid))
      ? 'lose the answer'
      : 'pass';
  far.go(uuid);
  expect((await installation.finished(uuid)).state).toBe('ready');

  const refused = await installation.cl(['kill', uuid]);

  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/ready/);
  expect((await installation.bundle(uuid)).state).toBe('ready');
  far.repair();
  await leftAlone(uuid);
});

it('worker_offline: at once, and the worker hears of it when it is back', async () => {
  const uuid = await installation.ok('run', 'sleep 600');
  await installation.inState(uuid, 'running');
  await far.line.goAway();
  await installation.inState(uuid, 'worker_offline');

  await killed(uuid);

  expect(existsSync(far.worker.runDirectory(uuid))).toBe(true);
  await far.line.comeBack();
  await leftAlone(uuid);
  expect((await installation.bundle(uuid)).state).toBe('killed');
});

it('an upload that is not a run', async () => {
  const { data } = await installation.api<{ data: { id: string }[] }>(
    'POST',
    '/bundles?detached=1&wait_for_upload=1',
    {
      data: [
        {
          type: 'bundles',
          attributes: {
            bundle_type: 'dataset',
            metadata: { name: 'never', description: '', tags: [], license: '', source_url: '' },
          },
        },
      ],
    },
  );
  const uuid = data[0]?.id ?? '';

  await installation.ok('kill', uuid);

  const bundle = await installation.finished(uuid);
  expect(bundle.state).toBe('killed');
  expect(bundle.metadata['actions']).toBeUndefined();
});
