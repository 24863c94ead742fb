import { createServer, type AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startHttpServer, type HttpServer } from '../testing/http-server.ts';
import type { TransportRequest } from '../transport.ts';
import { nodeTransport, type NodeTransport } from './transport.ts';

let server: HttpServer;
let transport: NodeTransport;

beforeEach(async () => {
  server = await startHttpServer((_, response) => void response.end('ok'));
  transport = nodeTransport();
});
afterEach(async () => {
  transport.close();
  await server.close();
});

const request = (path: string, more: Partial<TransportRequest> = {}): TransportRequest => ({
  method: 'GET',
  url: `${server.address}/rest${path}`,
  headers: {},
  idleTimeout: 0,
  ...more,
});

async function bytesOf(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test('a stream is sent as it comes, and a sized body with its length', async () => {
  async function* parts() {
    yield Buffer.from('one ');
    yield Buffer.from('two');
  }
  await (await transport.send(request('/stream', { method: 'PUT', body: parts() }))).text();
  await (await transport.send(request('/sized', { method: 'PUT', body: { length: 7, open: parts } }))).text();
  expect(server.seen.map(({ body }) => body)).toEqual(['one two', 'one two']);
  expect(server.seen[0]?.headers['transfer-encoding']).toBe('chunked');
  expect(server.seen[1]?.headers['content-length']).toBe('7');
});

test('a failing source ends the request, so that the server does not take it for complete', async () => {
  async function* parts() {
    yield Buffer.from('half');
    throw new Error('disk gone');
  }
  await expect(transport.send(request('/x', { method: 'PUT', body: parts() }))).rejects.toThrow('disk gone');
  expect(server.seen).toHaveLength(0);
});

test('an answer before the end of a long body is delivered, and the rest not sent', async () => {
  let sent = 0;
  async function* endless() {
    for (; sent < 2000; sent += 1) yield Buffer.alloc(64 * 1024);
  }
  server.server.removeAllListeners('request');
  server.server.on('request', (_, response) => {
    response.writeHead(400, { connection: 'close' }).end('disk quota exceeded');
  });
  const answer = await transport.send(request('/x', { method: 'PUT', body: endless() }));
  expect(answer.status).toBe(400);
  expect(await answer.text()).toBe('disk quota exceeded');
  expect(sent).toBeLessThan(2000);
});

test('a compressed answer is unpacked', async () => {
  server.answer((_, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('plain again'));
  });
  const answer = await transport.send(request('/x'));
  expect((await bytesOf(answer.body)).toString()).toBe('plain again');
});

test('connections are kept', async () => {
  let connections = 0;
  server.server.on('connection', () => (connections += 1));
  for (let round = 0; round < 3; round += 1) await (await transport.send(request('/x'))).text();
  expect(connections).toBe(1);
});

test('a kept connection that the server has closed meanwhile costs a harmless request nothing', async () => {
  let requests = 0;
  // Closes each connection when the second request on it arrives, as a server does whose idle time is over.
  const closing = createServer((socket) => {
    let first = true;
    socket
      .on('error', () => undefined)
      .on('data', () => {
        requests += 1;
        if (!first) return socket.resetAndDestroy();
        first = false;
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      });
  });
  await new Promise<void>((resolve) => closing.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(closing.address() as AddressInfo).port}/rest/x`;
  const ask = async (method: string) => (await transport.send(request('', { url, method }))).text();
  expect(await ask('GET')).toBe('ok');
  expect(await ask('GET')).toBe('ok');
  expect(requests).toBe(3);
  await expect(ask('POST')).rejects.toMatchObject({ name: 'ConnectionError' });
  closing.close();
});

test('giving up in the middle of an answer ends it with the reason', async () => {
  server.answer((_, response) => {
    response.writeHead(200).write('begin');
  });
  const controller = new AbortController();
  const answer = await transport.send(request('/x', { signal: controller.signal }));
  const reading = (async () => {
    for await (const chunk of answer.body) {
      expect(Buffer.from(chunk).toString()).toBe('begin');
      controller.abort(new Error('seen enough'));
    }
  })();
  await expect(reading).rejects.toThrow('seen enough');
});

test('something that is no address is said so', async () => {
  await expect(transport.send(request('', { url: 'foo/rest/user' }))).rejects.toThrow(
    '"foo" is not the address of a server.',
  );
});
