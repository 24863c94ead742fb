import { commitRequest, fetchRequest, offerRequest, packContentType } from '@sheaf/wire';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ConnectionError } from './connection-error.ts';
import { nodeTransport, type NodeTransport } from './node/transport.ts';
import { RestClient } from './rest-client.ts';
import { sendJson, startHttpServer, type HttpServer } from './testing/http-server.ts';
import { transferPeer } from './transfer-peer.ts';

const uuid = `0x${'a'.repeat(32)}`;
const digest = 'd'.repeat(64);
const root = { kind: 'file', digest, size: 3, executable: false } as const;
const body = {
  length: 3,
  async *open() {
    yield Buffer.from('abc');
  },
};

let server: HttpServer;
let transport: NodeTransport;
let client: RestClient;

beforeEach(async () => {
  server = await startHttpServer((_, response) => sendJson(response, { data_size: 3 }));
  transport = nodeTransport();
  client = new RestClient({ address: server.address, transport });
});
afterEach(async () => {
  transport.close();
  await server.close();
});

test('offers, sizes and commits have the shapes of the contract', async () => {
  server.answer((_, response) => sendJson(response, { need: [[digest, 1]], known_sizes: [9] }));
  const peer = transferPeer(client, uuid);
  expect(await peer.offer([[digest, 3]])).toEqual([[digest, 1]]);
  expect(await peer.knownSizes([9, 10])).toEqual([9]);
  server.answer((_, response) => sendJson(response, { data_size: 3 }));
  expect(await peer.commit(root)).toEqual({ data_size: 3 });
  const [offer, sizes, commit] = server.seen;
  expect(offerRequest.parse(JSON.parse(offer?.body ?? ''))).toEqual({ blobs: [[digest, 3]], sizes: [] });
  expect(offerRequest.parse(JSON.parse(sizes?.body ?? ''))).toEqual({ blobs: [], sizes: [9, 10] });
  expect(commitRequest.parse(JSON.parse(commit?.body ?? ''))).toEqual({ root, finalize: true });
  expect(offer?.headers['x-sheaf-epoch']).toBeUndefined();
});

test('results of a run carry the attempt, and leave the state to the reports', async () => {
  const peer = transferPeer(client, uuid, { epoch: 4 });
  await peer.commit(root);
  await peer.commitPack(root, body);
  const [commit, pack] = server.seen;
  expect(commit?.headers['x-sheaf-epoch']).toBe('4');
  expect(JSON.parse(commit?.body ?? '')).toEqual({ root, finalize: false });
  expect(pack).toMatchObject({
    path: `/rest/bundles/${uuid}/transfer/pack`,
    body: 'abc',
    headers: { 'x-sheaf-epoch': '4', 'content-type': packContentType, 'content-length': '3' },
  });
  expect(JSON.parse(pack?.query.get('root') ?? '')).toEqual(root);
  expect(pack?.query.get('finalize')).toBe('0');
});

test('bytes go and come from an offset', async () => {
  const peer = transferPeer(client, uuid);
  await peer.sendBlob([digest, 10], 7, body);
  server.answer((_, response) => void response.end('xyz'));
  const chunks: Uint8Array[] = [];
  for await (const chunk of await peer.fetchBlob(digest, 7)) chunks.push(chunk);
  for await (const _ of await peer.fetchPack([digest]));
  const [put, get, fetched] = server.seen;
  expect(put).toMatchObject({
    method: 'PUT',
    path: `/rest/bundles/${uuid}/transfer/blobs/${digest}`,
    body: 'abc',
  });
  expect(put?.query.get('offset')).toBe('7');
  expect(put?.headers['content-length']).toBe('3');
  expect(get?.headers.range).toBe('bytes=7-');
  expect(Buffer.concat(chunks).toString()).toBe('xyz');
  expect(fetchRequest.parse(JSON.parse(fetched?.body ?? ''))).toEqual({ digests: [digest] });
});

test('an entry is looked up by its path', async () => {
  const data = { entry: root, resolved_target: { bundle_uuid: uuid, subpath: 'a/b' } };
  server.answer((_, response) => sendJson(response, { data }));
  expect(await transferPeer(client, uuid).entry('k/ä')).toEqual(data);
  expect(server.seen[0]?.path).toBe(`/rest/bundles/${uuid}/contents/entry/k/%C3%A4`);
});

test('a connection on which nothing moves any more is given up', async () => {
  server.answer(() => undefined);
  const peer = transferPeer(client, uuid, { silence: 200 });
  await expect(peer.offer([[digest, 3]])).rejects.toBeInstanceOf(ConnectionError);
  await expect(peer.commit(root)).rejects.toBeInstanceOf(ConnectionError);
});
