/* Workers that see the server's files: one that behaves as originals do, and one of ours (execution.md §24). */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '@sheaf/testkit';
import { end, Installation } from '../support/installation.ts';
import { startOriginalWorker } from '../support/original-worker.ts';

let installation: Installation;
let directory: string;
let data: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sheaf-shared-'));
  installation = new Installation('sandbox');
  await installation.startServer();
  mkdirSync(join(directory, 'data', 'deep'), { recursive: true });
  writeFileSync(join(directory, 'data', 'deep', 'one'), 'first\n');
  writeFileSync(join(directory, 'data', 'two'), 'second\n');
  data = await installation.ok('upload', join(directory, 'data'));
});
afterAll(async () => {
  await installation.stop();
  rmSync(directory, { recursive: true, force: true });
});

const queue = (name: string) => ['--request-queue', name];
const shared = (...parts: string[]) => join(installation.home, 'shared', ...parts);
const nothingLeft = () =>
  eventually('an empty place for runs', () =>
    Promise.resolve(
      readdirSync(shared('runs')).length + readdirSync(shared('ended')).length === 0 || undefined,
    ),
  );

describe.each(['original', 'ours'])('%s', (kind) => {
  let stop: () => Promise<unknown>;
  beforeAll(async () => {
    if (kind === 'original') {
      const words = ['--shared-file-system', '--tag', kind, '--checkin-frequency-seconds', '0.5'];
      const worker = await startOriginalWorker(installation, 'sharing(1)', words);
      stop = async () => {
        expect(worker.stdout).not.toContain('SLEEP');
        await worker.stop('SIGKILL');
      };
    } else {
      await installation.startWorker(['--shared-file-system', '--tag', kind, '--tag-exclusive']);
      const { worker } = installation;
      stop = () => end(worker, 'SIGTERM');
    }
  });
  afterAll(async () => await stop());

  it('uses inputs where they are, and leaves results where the server takes them', async () => {
    const command =
      'cat whole/deep/one part; mkdir out; head -c 1000000 /dev/zero > out/large; ls -a > names';
    const uuid = await installation.ok('run', `whole:${data}`, `part:${data}/two`, command, ...queue(kind));
    const bundle = await installation.finished(uuid);

    expect(bundle.metadata['failure_message'] ?? null).toBeNull();
    expect(bundle.state).toBe('ready');
    expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('first\nsecond');
    expect(statSync(shared('marker')).isFile()).toBe(true);
    const { data: root } = await installation.api<{ data: { contents: { name: string }[] } }>(
      'GET',
      `/bundles/${uuid}/contents/info/?depth=1`,
    );
    expect(root.contents.map(({ name }) => name)).toEqual(['names', 'out', 'stderr', 'stdout']);
    expect(bundle.metadata['data_size']).toBeGreaterThan(1_000_000);
    await nothingLeft();
  });

  it('leaves out what is excluded', async () => {
    const uuid = await installation.ok(
      'run',
      'touch a.txt b.log',
      ...queue(kind),
      '--exclude-patterns',
      '*.log',
    );
    expect((await installation.finished(uuid)).state).toBe('ready');
    expect((await installation.cl(['cat', `${uuid}/b.log`])).code).not.toBe(0);
    expect((await installation.cl(['cat', `${uuid}/a.txt`])).code).toBe(0);
  });

  it('is read while it runs, and keeps what was there when it is killed', async () => {
    const uuid = await installation.ok('run', `in:${data}`, 'echo begun; sleep 600', ...queue(kind));
    await installation.inState(uuid, 'running');
    await eventually('what it has written', async () => {
      const { code, stdout } = await installation.cl(['cat', `${uuid}/stdout`]);
      return code === 0 && stdout === 'begun\n' ? true : undefined;
    });
    expect(await installation.ok('cat', `${uuid}/in/two`)).toBe('second');
    await installation.ok('kill', uuid);

    expect((await installation.finished(uuid)).state).toBe('killed');
    expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('begun');
    await nothingLeft();
  });
});

it('gives a run back where the files are not the server’s, and another worker executes it', async () => {
  const elsewhere = ['--tag', 'elsewhere', '--tag-exclusive', '--work-dir', join(directory, 'worker')];
  await installation.startWorker([...elsewhere, '--shared-file-system', '--id', 'mistaken']);
  const mistaken = installation.worker;
  // From now on the marker is another's, as it is on another machine.
  rmSync(shared('marker'));
  writeFileSync(shared('marker'), 'of somebody else');
  const uuid = await installation.ok('run', 'echo found > results', ...queue('elsewhere'));
  await eventually('the worker to notice', () =>
    Promise.resolve(/does not see the server's files/.test(installation.log('worker')) || undefined),
  );
  await installation.startWorker([...elsewhere, '--id', 'right']);

  expect((await installation.finished(uuid)).state).toBe('ready');
  expect(await installation.ok('cat', `${uuid}/results`)).toBe('found');
  await end(mistaken, 'SIGTERM');
});
