/* Workers that see the server's files under the same paths (execution.md §24), played by an original one and by one of ours. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunMessage } from '@sheaf/wire';
import { databases, startTestServer, type TestServer } from '../../testing/test-server.ts';
import { createBundle, diskUsed, putContents, until, untilState, viewBundle } from '../testing/bundles.ts';
import { originalWorker, type OriginalWorker } from '../testing/original-worker.ts';
import { reportOf, scriptedWorker } from '../testing/scripted-worker.ts';

/** Not held: these tests look again and again. */
const shared = { shared_file_system: true, hold: 0 };

/** A tar.gz of a directory that `fill` has filled. */
function archiveOf(fill: (directory: string) => void): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'sheaf-shared-test-'));
  try {
    fill(directory);
    return execFileSync('tar', ['-czf', '-', '-C', directory, '.']);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function uploadArchive(server: TestServer, fill: (directory: string) => void): Promise<string> {
  const uuid = await createBundle(server, { type: 'dataset', query: 'wait_for_upload=1' });
  const response = await putContents(server, uuid, archiveOf(fill), { query: 'filename=data.tar.gz' });
  expect(response.status, await response.text()).toBe(200);
  return uuid;
}

/** What a worker does with a location: nothing else than the system's own path resolution. */
function seen(dependency: RunMessage['bundle']['dependencies'][number]): string {
  return realpathSync(join(dependency.location ?? '', dependency.parent_path));
}

describe.each(databases)('on a shared filesystem (%s)', (database) => {
  let server: TestServer;
  let worker: OriginalWorker;
  let links: string;
  beforeAll(async () => {
    links = mkdtempSync(join(tmpdir(), 'sheaf-links-'));
    server = await startTestServer({ database, settings: { linkRoots: [links] } });
    worker = await originalWorker(server);
  });
  afterAll(async () => {
    await server.close();
    rmSync(links, { recursive: true });
  });

  const sharedPath = (...parts: string[]) => join(server.home, 'shared', ...parts);
  const runDirectories = () => readdirSync(sharedPath('runs'));

  const nextRun = (more: Record<string, unknown> = {}) =>
    until(async () => {
      const messages = await worker.checkin({ ...shared, ...more });
      const run = messages.find((message) => message?.['type'] === 'run');
      return run as unknown as RunMessage | undefined;
    }, 'a run message');
  const accept = async (more: Record<string, unknown> = {}) => {
    const run = await nextRun(more);
    expect(await worker.start(run.bundle.uuid)).toBe(true);
    const { location } = run.bundle;
    if (typeof location !== 'string') throw new Error('The message names no directory.');
    return { uuid: run.bundle.uuid, location, run };
  };
  const report = (uuid: string, more: object = {}) => [
    reportOf(uuid, 'finalizing', { exitcode: 0, ...more }),
  ];
  const marked = (uuid: string, more: object = {}) =>
    until(async () => {
      const messages = await worker.checkin({ ...shared, runs: report(uuid, more) });
      return messages.some((message) => message?.['type'] === 'mark_finalized') ? true : undefined;
    }, 'mark_finalized');
  const text = async (uuid: string, path: string) =>
    await (await server.fetch(`/rest/bundles/${uuid}/contents/blob/${path}`, { as: 'root' })).text();

  it('finds inputs and an empty directory in place, and leaves results in it', async () => {
    const parent = await uploadArchive(server, (directory) => {
      mkdirSync(join(directory, 'deep'));
      writeFileSync(join(directory, 'deep', 'data'), 'some data\n');
      symlinkSync('deep', join(directory, 'short'));
    });
    const before = await diskUsed(server, 'root');
    await createBundle(server, {
      dependencies: [
        { child_path: 'all', parent_uuid: parent },
        { child_path: 'one', parent_uuid: parent, parent_path: 'short/data' },
      ],
    });
    const { uuid, location, run } = await accept();

    const [all, one] = run.bundle.dependencies;
    expect(readFileSync(join(seen(all ?? never()), 'deep', 'data'), 'utf8')).toBe('some data\n');
    expect(readFileSync(seen(one ?? never()), 'utf8')).toBe('some data\n');
    // Hard links to what is stored: no second copy, and nobody may write there.
    expect(statSync(seen(one ?? never())).nlink).toBeGreaterThan(1);
    expect(statSync(seen(one ?? never())).mode & 0o777).toBe(0o444);
    expect(readdirSync(location)).toEqual([]);
    expect(run.shared_marker?.text).toBe(readFileSync(run.shared_marker?.path ?? '', 'utf8'));

    await worker.checkin({ ...shared, runs: [reportOf(uuid, 'running')] });
    writeFileSync(join(location, 'stdout'), 'hello\n');
    writeFileSync(join(location, 'stderr'), '');
    mkdirSync(join(location, 'out'));
    writeFileSync(join(location, 'out', 'large'), Buffer.alloc(400_000, 'x'));
    await marked(uuid, { disk_utilization: 12_345 });

    expect(await untilState(server, uuid, ['ready'])).toMatchObject({ metadata: { data_size: 400_006 } });
    expect(await text(uuid, 'stdout')).toBe('hello\n');
    expect(await text(uuid, 'out/large')).toHaveLength(400_000);
    expect(await diskUsed(server, 'root')).toBe(before + 400_006);
    expect(existsSync(location)).toBe(false);
    await until(async () => (runDirectories().length === 0 ? true : undefined), 'an empty place for runs');
    await worker.checkin(shared);
  });

  it('counts workers as having every input', async () => {
    await worker.checkin(shared);
    const info = (await (await server.fetch('/rest/workers/info', { as: 'root' })).json()) as {
      data: { worker_id: string; shared_file_system: boolean }[];
    };
    expect(info.data.find(({ worker_id: id }) => id === worker.id)?.shared_file_system).toBe(true);
  });

  it('leads to the place of a linked bundle, but only below the link roots', async () => {
    mkdirSync(join(links, 'linked'));
    writeFileSync(join(links, 'linked', 'file'), 'linked data\n');
    symlinkSync('/etc', join(links, 'linked', 'out'));
    const parent = await createBundle(server, {
      type: 'dataset',
      metadata: { link_url: join(links, 'linked'), link_format: 'raw' },
    });
    await untilState(server, parent, ['ready']);
    await createBundle(server, {
      dependencies: [{ child_path: 'in', parent_uuid: parent, parent_path: 'file' }],
    });
    const { uuid, run, location } = await accept();

    const [dependency] = run.bundle.dependencies;
    expect(dependency?.location).toBe(join(links, 'linked'));
    expect(readFileSync(seen(dependency ?? never()), 'utf8')).toBe('linked data\n');
    writeFileSync(join(location, 'stdout'), '');
    await marked(uuid);

    const escaping = await createBundle(server, {
      dependencies: [{ child_path: 'in', parent_uuid: parent, parent_path: 'out/passwd' }],
    });
    await worker.checkin(shared);
    const failed = await untilState(server, escaping, ['failed']);
    expect(failed.metadata['failure_message']).toMatch(/^(Failed to download|Invalid) dependency in: /);
  });

  it.each([
    ['out/passwd', 'an absolute link on the way'],
    ['up/secret', 'a link out of the contents on the way'],
    ['out', 'a link in the last place'],
    ['missing', 'nothing there'],
  ])('refuses the input %s: %s', async (path) => {
    const parent = await uploadArchive(server, (directory) => {
      writeFileSync(join(directory, 'file'), 'x');
      symlinkSync('/etc', join(directory, 'out'));
      symlinkSync('../../..', join(directory, 'up'));
    });
    const uuid = await createBundle(server, {
      dependencies: [{ child_path: 'in', parent_uuid: parent, parent_path: path }],
    });
    await worker.checkin(shared);

    const failed = await untilState(server, uuid, ['failed']);
    expect(failed.metadata['failure_message']).toMatch(/^(Failed to download|Invalid) dependency in: /);
    expect(await worker.checkin({ ...shared, runs: [] })).toEqual([null]);
  });

  it('fails a run whose worker has left nothing: it looks at other files', async () => {
    await createBundle(server);
    const { uuid } = await accept();
    await marked(uuid);

    const failed = await untilState(server, uuid, ['failed']);
    expect(failed.metadata['failure_message']).toBe('The worker has left nothing in the shared directory.');
  });

  it('stores everything but what cannot be stored, and says what that is', async () => {
    await createBundle(server);
    const { uuid, location } = await accept();
    writeFileSync(join(location, 'stdout'), 'kept\n');
    writeFileSync(Buffer.concat([Buffer.from(`${location}/`), Buffer.from([0x62, 0xff])]), '');
    await marked(uuid);

    const failed = await untilState(server, uuid, ['failed']);
    expect(failed.metadata['failure_message']).toMatch(/^Upload failed: .*UTF-8/);
    expect(await text(uuid, 'stdout')).toBe('kept\n');
  });

  it('keeps the reason of a run that was killed before its command ran', async () => {
    await createBundle(server);
    const { uuid } = await accept();
    await marked(uuid, { exitcode: null, failure_message: 'Kill requested' });

    const killed = await untilState(server, uuid, ['killed']);
    expect(killed.metadata['failure_message']).toBe('Kill requested');
  });

  it('refuses results for which there is no room, and takes no quota for them', async () => {
    await server.createUser({ name: 'poor', diskQuota: 100 });
    await createBundle(server, { as: 'poor' });
    const { uuid, location } = await accept();
    writeFileSync(join(location, 'stdout'), 'x'.repeat(101));
    await marked(uuid, { disk_utilization: 101 });

    const failed = await untilState(server, uuid, ['failed'], 'poor');
    expect(failed.metadata['failure_message']).toMatch(/^Upload failed: .*quota/);
    expect(await diskUsed(server, 'poor')).toBe(0);
  });

  it('removes what a run leaves behind that is deleted while its worker is away', async () => {
    await createBundle(server);
    const { uuid, location } = await accept();
    await worker.checkin({ ...shared, runs: [reportOf(uuid, 'running')] });
    writeFileSync(join(location, 'stdout'), 'x');
    for (let omitted = 0; omitted < 2; omitted += 1) await worker.checkin(shared);
    await untilState(server, uuid, ['worker_offline']);
    expect(existsSync(location)).toBe(true);

    const response = await server.fetch('/rest/bundles?force=1', {
      as: 'root',
      method: 'DELETE',
      json: { data: [{ type: 'bundles', id: uuid }] },
    });
    expect(response.status, await response.text()).toBe(200);
    await until(async () => (existsSync(location) ? undefined : true), 'the directory is gone');
  });

  it('takes a run back from a worker that returns with it', async () => {
    await createBundle(server);
    const { uuid, location } = await accept();
    await worker.checkin({ ...shared, runs: [reportOf(uuid, 'running')] });
    for (let omitted = 0; omitted < 2; omitted += 1) await worker.checkin(shared);
    await untilState(server, uuid, ['worker_offline']);

    writeFileSync(join(location, 'stdout'), 'late\n');
    await marked(uuid);
    await untilState(server, uuid, ['ready']);
    expect(await text(uuid, 'stdout')).toBe('late\n');
  });

  it('gives a run that goes back to the queue a new, empty directory', async () => {
    await createBundle(server);
    const first = await accept();
    await worker.checkin({ ...shared, runs: [reportOf(first.uuid, 'preparing')] });
    writeFileSync(join(first.location, 'stdout'), 'half');
    await worker.checkin({ ...shared, runs: [reportOf(first.uuid, 'staged')] });
    const second = await accept();

    expect(second.uuid).toBe(first.uuid);
    expect(second.location).not.toBe(first.location);
    expect(readdirSync(second.location)).toEqual([]);
    await until(async () => (existsSync(first.location) ? undefined : true), 'the first directory is gone');
    writeFileSync(join(second.location, 'stdout'), 'whole');
    await marked(second.uuid);
    await untilState(server, second.uuid, ['ready']);
  });

  it('lets a preempted run go on in the directory it had, on another worker', async () => {
    const pool = { ...shared, preemptible: true, tag: 'pool', tag_exclusive: true };
    const uuid = await createBundle(server, { metadata: { request_queue: 'pool' } });
    const first = await accept(pool);
    await worker.checkin({ ...pool, runs: [reportOf(uuid, 'running')] });
    writeFileSync(join(first.location, 'checkpoint'), 'step 7');
    // Its worker goes away for good.
    await server.fetch(`/rest/workers/${encodeURIComponent(worker.id)}/checkout`, {
      as: 'root',
      method: 'POST',
      json: {},
    });
    await untilState(server, uuid, ['staged']);
    const other = scriptedWorker(server, { id: 'second', ...pool, hostname: 'node8' });
    const message = await other.next('run');
    const { location } = message.bundle;

    expect(readFileSync(join(location ?? '', 'checkpoint'), 'utf8')).toBe('step 7');
    expect(await other.start(uuid, message.epoch)).toBe(true);
    writeFileSync(join(location ?? '', 'stdout'), '');
    // The first one is fenced: whatever it says changes nothing.
    expect(await worker.checkin({ ...pool, runs: report(uuid) })).toContainEqual({
      type: 'mark_finalized',
      uuid,
    });
    expect((await viewBundle(server, uuid)).state).toBe('preparing');
    await until(async () => {
      const runs = [reportOf(uuid, 'finalizing', { exitcode: 0, epoch: message.epoch ?? 0 })];
      const messages = await other.checkin({ runs });
      return messages.some(({ type }) => type === 'mark_finalized') ? true : undefined;
    }, 'mark_finalized');
    const view = await untilState(server, uuid, ['ready']);
    expect(view.metadata['remote_history']).toEqual(['node7', 'node8']);
    expect(await text(uuid, 'checkpoint')).toBe('step 7');
    await other.post('checkout', {});
  });

  it('stores results although the worker is gone by then', async () => {
    await createBundle(server);
    const { uuid, location } = await accept();
    writeFileSync(join(location, 'stdout'), 'last words\n');
    await worker.checkin({ ...shared, runs: report(uuid) });
    await untilState(server, uuid, ['ready']);
    expect(await text(uuid, 'stdout')).toBe('last words\n');
    expect((await server.fetch('/rest/workers/info', { as: 'root' })).status).toBe(200);
    expect(await worker.checkin({ ...shared, runs: report(uuid) })).toContainEqual({
      type: 'mark_finalized',
      uuid,
    });
  });
});

function never(): never {
  throw new Error('The message names too few dependencies.');
}
