import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  decodePack,
  digestOf,
  encodePack,
  encodeTree,
  totalsOf,
  type Entry,
  type NamedEntry,
} from '@sheaf/trees';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createBundle,
  diskUsed,
  putContents,
  until,
  untilState,
  viewBundle,
} from '../runs/testing/bundles.ts';
import { scriptedWorker, reportOf } from '../runs/testing/scripted-worker.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';

interface Blob {
  digest: string;
  bytes: Buffer;
}

function blobOf(content: string | Buffer): Blob {
  const bytes = Buffer.from(content);
  return { digest: createHash('sha256').update(bytes).digest('hex'), bytes };
}

function fileEntry({ digest, bytes }: Blob): Entry {
  return { kind: 'file', digest, size: bytes.length, executable: false };
}

function treeOf(entries: NamedEntry[]): { blob: Blob; entry: Entry } {
  const bytes = encodeTree(entries);
  const blob = { digest: digestOf(bytes), bytes };
  return { blob, entry: { kind: 'tree', digest: blob.digest, ...totalsOf(entries) } };
}

async function packOf(blobs: readonly Blob[]): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of encodePack(Readable.from(blobs) as AsyncIterable<Blob>)) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe.each(databases)('native transfer (%s)', (database) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ database });
  });
  afterAll(async () => {
    await server.close();
  });

  const newDataset = (as: string) =>
    createBundle(server, { as, type: 'dataset', query: 'wait_for_upload=1' });
  const post = async (
    uuid: string,
    path: string,
    as: string,
    json: unknown,
    headers: Record<string, string> = {},
  ) => {
    const response = await server.fetch(`/rest/bundles/${uuid}/transfer/${path}`, {
      as,
      method: 'POST',
      json,
      headers,
    });
    const text = await response.text();
    return { status: response.status, text, json: () => JSON.parse(text) as Record<string, unknown> };
  };
  const offer = async (uuid: string, as: string, blobs: readonly Blob[], sizes: number[] = []) => {
    const offered = blobs.map(({ digest, bytes }) => [digest, bytes.length]);
    const answer = await post(uuid, 'offer', as, { blobs: offered, sizes });
    expect(answer.status, answer.text).toBe(200);
    return answer.json() as { need: [string, number][]; known_sizes: number[] };
  };
  const sendPack = async (uuid: string, as: string, blobs: readonly Blob[], query = '') => {
    const body = await packOf(blobs);
    const headers = { 'content-type': 'application/vnd.sheaf.pack' };
    const response = await server.fetch(`/rest/bundles/${uuid}/transfer/pack${query}`, {
      as,
      method: 'POST',
      body,
      headers,
    });
    return { status: response.status, text: await response.text() };
  };
  const putBlob = async (uuid: string, as: string, digest: string, offset: number, body: Buffer) => {
    const path = `/rest/bundles/${uuid}/transfer/blobs/${digest}?offset=${offset}`;
    const response = await server.fetch(path, { as, method: 'PUT', body });
    return { status: response.status, text: await response.text() };
  };

  it('sends a tree in one pack with its commit', async () => {
    const file = blobOf('hello');
    const tree = treeOf([
      { name: 'a', entry: fileEntry(file) },
      { name: 'l', entry: { kind: 'link', target: 'a' } },
    ]);
    const uuid = await newDataset('ann');
    const before = await diskUsed(server, 'ann');
    const blobs = [file, tree.blob];
    expect((await offer(uuid, 'ann', blobs)).need).toEqual(blobs.map(({ digest }) => [digest, 0]));
    const root = encodeURIComponent(JSON.stringify(tree.entry));
    const sent = await sendPack(uuid, 'ann', blobs, `?root=${root}`);
    expect(sent.status, sent.text).toBe(200);
    expect(JSON.parse(sent.text)).toMatchObject({ data_size: 5 });
    expect(await viewBundle(server, uuid, 'ann')).toMatchObject({
      state: 'ready',
      metadata: { data_size: 5 },
    });
    expect(await diskUsed(server, 'ann')).toBe(before + 5);
    const read = await server.fetch(`/rest/bundles/${uuid}/contents/blob/a`, { as: 'ann' });
    expect(await read.text()).toBe('hello');
  });

  it('needs nothing twice, and says so only to those who sent it', async () => {
    const file = blobOf(`known ${database}`);
    const uuid = await newDataset('ann');
    expect((await sendPack(uuid, 'ann', [file])).status).toBe(200);
    expect(await offer(uuid, 'ann', [file], [file.bytes.length, 12_345])).toMatchObject({
      need: [],
      known_sizes: [file.bytes.length],
    });
    const other = await newDataset('ben');
    expect(await offer(other, 'ben', [file], [file.bytes.length])).toMatchObject({
      need: [[file.digest, 0]],
      known_sizes: [],
    });
    const leased = await server.services.database.queries
      .selectFrom('transfer_lease')
      .selectAll()
      .where('bundle_uuid', '=', uuid)
      .execute();
    expect(leased.map(({ digest }) => digest)).toEqual([file.digest]);
    expect((await post(uuid, 'commit', 'ann', { root: fileEntry(file) })).status).toBe(200);
    const later = await server.services.database.queries
      .selectFrom('transfer_lease')
      .selectAll()
      .where('bundle_uuid', '=', uuid)
      .execute();
    expect(later).toEqual([]);
  });

  it('gives nobody what is known by its digest only', async () => {
    const secret = blobOf(`secret ${database}`);
    const inner = treeOf([{ name: 's', entry: fileEntry(secret) }]);
    const uuid = await newDataset('ann');
    await sendPack(uuid, 'ann', [secret, inner.blob]);
    await post(uuid, 'commit', 'ann', { root: inner.entry });

    const thief = await newDataset('ben');
    for (const root of [fileEntry(secret), inner.entry]) {
      const answer = await post(thief, 'commit', 'ben', { root });
      expect(answer.status).toBe(403);
      expect(answer.text).toContain('have not sent');
    }
    // Not even inside a tree of his own.
    const wrapped = treeOf([{ name: 'd', entry: inner.entry }]);
    await sendPack(thief, 'ben', [wrapped.blob]);
    expect((await post(thief, 'commit', 'ben', { root: wrapped.entry })).status).toBe(403);
    expect((await viewBundle(server, thief, 'ben')).state).toBe('uploading');

    const unknown = blobOf('nobody has this');
    const absent = await post(thief, 'commit', 'ben', { root: fileEntry(unknown) });
    expect(absent.status).toBe(403);
    const foreign = await post(uuid, 'fetch', 'ben', { digests: [secret.digest] });
    expect(foreign.status).toBe(403);
    const own = await newDataset('ben');
    await sendPack(own, 'ben', [blobOf('mine')]);
    await post(own, 'commit', 'ben', { root: fileEntry(blobOf('mine')) });
    expect((await post(own, 'fetch', 'ben', { digests: [secret.digest] })).status).toBe(404);
    const single = await server.fetch(`/rest/bundles/${own}/transfer/blobs/${secret.digest}`, { as: 'ben' });
    expect(single.status).toBe(404);
    await single.text();
  });

  it('goes on with a large blob where it broke off', async () => {
    const large = blobOf(randomBytes(1_000_000));
    const uuid = await newDataset('ann');
    const half = large.bytes.subarray(0, 400_000);
    const started = await fetchPartial(server, uuid, large, half);
    expect(started).toBe('broken');
    const offset = await until(async () => {
      const { need } = await offer(uuid, 'ann', [large]);
      expect(need[0]?.[0]).toBe(large.digest);
      return need[0]?.[1] === 0 ? undefined : need[0]?.[1];
    }, 'the server keeps what came');
    expect(offset).toBeLessThanOrEqual(400_000);
    const wrong = await putBlob(uuid, 'ann', large.digest, offset + 1, large.bytes.subarray(offset + 1));
    expect(wrong.status, wrong.text).toBe(409);
    const rest = await putBlob(uuid, 'ann', large.digest, offset, large.bytes.subarray(offset));
    expect(rest.status, rest.text).toBe(200);
    expect((await offer(uuid, 'ann', [large])).need).toEqual([]);
    expect((await post(uuid, 'commit', 'ann', { root: fileEntry(large) })).status).toBe(200);
  });

  it('refuses bytes that are not what they were said to be', async () => {
    const uuid = await newDataset('ann');
    const lie = await putBlob(uuid, 'ann', blobOf('truth').digest, 0, Buffer.from('a lie'));
    expect(lie.status).toBe(400);
    const pack = await sendPack(uuid, 'ann', [
      { digest: blobOf('truth').digest, bytes: Buffer.from('a lie') },
    ]);
    expect(pack.status).toBe(400);
    const file = blobOf('sized');
    await sendPack(uuid, 'ann', [file]);
    const wrong = await post(uuid, 'commit', 'ann', { root: { ...fileEntry(file), size: 4 } });
    expect(wrong.status).toBe(400);
    const bad = await post(uuid, 'commit', 'ann', { root: { kind: 'file' } });
    expect(bad.status).toBe(400);
    expect((await viewBundle(server, uuid, 'ann')).state).toBe('uploading');
  });

  it('refuses a commit that lacks blobs, until they are there', async () => {
    const missing = blobOf(`to come ${database}`);
    const tree = treeOf([{ name: 'm', entry: fileEntry(missing) }]);
    const uuid = await newDataset('ann');
    await sendPack(uuid, 'ann', [tree.blob]);
    expect((await post(uuid, 'commit', 'ann', { root: tree.entry })).status).toBe(403);
    await sendPack(uuid, 'ann', [missing]);
    expect((await post(uuid, 'commit', 'ann', { root: tree.entry })).status).toBe(200);
  });

  it('keeps to the quota', async () => {
    await server.tokenFor('tiny');
    await server.services.database.queries
      .updateTable('user')
      .set({ disk_quota: 10 })
      .where('name', '=', 'tiny')
      .execute();
    const uuid = await newDataset('tiny');
    const file = blobOf('more than ten bytes');
    const answer = await sendPack(
      uuid,
      'tiny',
      [file],
      `?root=${encodeURIComponent(JSON.stringify(fileEntry(file)))}`,
    );
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('disk quota exceeded');
    expect((await viewBundle(server, uuid, 'tiny')).state).toBe('failed');
    expect(await diskUsed(server, 'tiny')).toBe(0);
  });

  it('hands out entries, packs and blobs', async () => {
    const file = blobOf(`out ${database}`);
    const tree = treeOf([{ name: 'sub', entry: treeOf([{ name: 'f', entry: fileEntry(file) }]).entry }]);
    const sub = treeOf([{ name: 'f', entry: fileEntry(file) }]);
    const uuid = await newDataset('ann');
    await sendPack(uuid, 'ann', [file, sub.blob, tree.blob]);
    await post(uuid, 'commit', 'ann', { root: tree.entry });
    const entry = await server.fetch(`/rest/bundles/${uuid}/contents/entry/sub/f`, { as: 'ann' });
    expect(await entry.json()).toMatchObject({
      data: { entry: fileEntry(file), resolved_target: { bundle_uuid: uuid, subpath: 'sub/f' } },
    });
    const pack = await server.fetch(`/rest/bundles/${uuid}/transfer/fetch`, {
      as: 'ann',
      method: 'POST',
      json: { digests: [tree.blob.digest, file.digest] },
    });
    expect(pack.headers.get('content-type')).toBe('application/vnd.sheaf.pack');
    const unpacked: string[] = [];
    for await (const { digest } of decodePack(Readable.from([Buffer.from(await pack.arrayBuffer())])))
      unpacked.push(digest);
    expect(unpacked).toEqual([tree.blob.digest, file.digest]);
    const part = await server.fetch(`/rest/bundles/${uuid}/transfer/blobs/${file.digest}`, {
      as: 'ann',
      headers: { range: 'bytes=4-' },
    });
    expect(part.status).toBe(206);
    expect(await part.text()).toBe(file.bytes.subarray(4).toString());
  });

  it('takes results of the current attempt only', async () => {
    const worker = scriptedWorker(server, { id: 'results' });
    await worker.checkin({ hold: 0 });
    const waiting = worker.next('run');
    const uuid = await createBundle(server, { as: 'ann' });
    const { epoch = -1 } = await waiting;
    await worker.start(uuid, epoch);
    await worker.report([reportOf(uuid, 'running', { epoch })]);
    const file = blobOf('result');
    const stale = await post(uuid, 'offer', 'root', { blobs: [] }, { 'x-sheaf-epoch': String(epoch - 1) });
    expect(stale.status).toBe(409);
    const stranger = await post(uuid, 'offer', 'ann', { blobs: [] }, { 'x-sheaf-epoch': String(epoch) });
    expect(stranger.status).toBe(403);
    const headers = { 'x-sheaf-epoch': String(epoch) };
    await sendPack(uuid, 'root', [file]);
    const committed = await post(uuid, 'commit', 'root', { root: fileEntry(file), finalize: false }, headers);
    expect(committed.status, committed.text).toBe(200);
    expect((await viewBundle(server, uuid, 'ann')).state).toBe('running');
    await worker.report([reportOf(uuid, 'finalizing', { epoch, exitcode: 0 })]);
    expect(await untilState(server, uuid, ['ready'], 'ann')).toMatchObject({ metadata: { data_size: 6 } });
    expect((await post(uuid, 'offer', 'root', { blobs: [] }, headers)).status).toBe(403);
  });

  it('answers what has been committed once more when the answer was lost, and takes nothing else then', async () => {
    const [file, other] = [blobOf('once more'), blobOf('something else')];
    const uuid = await newDataset('ann');
    const root = (blob: Blob) => `?root=${encodeURIComponent(JSON.stringify(fileEntry(blob)))}`;
    const commit = (blob: Blob, as = 'ann') => post(uuid, 'commit', as, { root: fileEntry(blob) });
    const first = await sendPack(uuid, 'ann', [file], root(file));
    expect(first.status, first.text).toBe(200);

    const again = await sendPack(uuid, 'ann', [file], root(file));
    expect(again).toEqual(first);
    expect((await commit(file)).json()).toMatchObject({ data_size: 9 });

    expect((await sendPack(uuid, 'ann', [other], root(other))).status).toBe(403);
    expect((await commit(other)).status).toBe(403);
    expect((await commit(file, 'bea')).status).toBe(403);
    const read = await server.fetch(`/rest/bundles/${uuid}/contents/blob/`, { as: 'ann' });
    expect(await read.text()).toBe('once more');
  });

  it('sweeps what nothing refers to, and spares what is used, leased or young', async () => {
    const used = blobOf(`used ${database}`);
    const leased = blobOf(`leased ${database}`);
    const loose = blobOf(`loose ${database}`);
    const deleted = blobOf(`deleted ${database}`);
    const uuid = await newDataset('ann');
    await sendPack(uuid, 'ann', [used, loose]);
    await post(uuid, 'commit', 'ann', { root: fileEntry(used) });
    const running = await newDataset('ann');
    await sendPack(running, 'ann', [leased]);
    await offer(running, 'ann', [leased]);
    const gone = await newDataset('ann');
    await putContents(server, gone, deleted.bytes, { as: 'ann', query: 'filename=d&unpack=0' });
    await untilState(server, gone, ['ready'], 'ann');
    const removed = await server.fetch('/rest/bundles', {
      as: 'ann',
      method: 'DELETE',
      json: { data: [{ type: 'bundles', id: gone }] },
    });
    expect(removed.status, await removed.text()).toBe(200);
    const { store } = server.services;
    await server.execution.sweeper.sweep();
    expect(await store.has(loose.digest)).toBe(true);
    await server.execution.sweeper.sweep(-60_000);
    expect(await Promise.all([used, leased, loose, deleted].map(({ digest }) => store.has(digest)))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect((await offer(running, 'ann', [loose])).need).toEqual([[loose.digest, 0]]);
  });
});

/** Sends the beginning of a blob and hangs up. */
async function fetchPartial(server: TestServer, uuid: string, blob: Blob, begin: Buffer): Promise<string> {
  const token = await server.tokenFor('ann');
  const { request } = await import('node:http');
  return await new Promise((resolve) => {
    const sending = request(`${server.url}/rest/bundles/${uuid}/transfer/blobs/${blob.digest}?offset=0`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-length': String(blob.bytes.length) },
    });
    sending.on('error', () => resolve('broken'));
    sending.on('response', () => resolve('answered'));
    sending.write(begin, () => setTimeout(() => sending.destroy(new Error('hung up')), 50));
  });
}
