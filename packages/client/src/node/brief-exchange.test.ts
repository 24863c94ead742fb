import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { briefExchange, isBrief } from './brief-exchange.ts';

let server: Server | undefined;
afterEach(() => server?.close());

/** Answers these bytes, in these pieces, to whatever it is asked, and closes. */
async function answering(...pieces: (string | Buffer)[]): Promise<string> {
  server = createServer((socket: Socket) => {
    socket.once('data', () => {
      for (const piece of pieces) socket.write(piece);
      socket.end();
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/rest/x`;
}

const get = (url: string) => briefExchange({ method: 'GET', url, headers: {}, idleTimeout: 0, whole: true });

test('an answer in chunks is put together, characters over the edge of a chunk included', async () => {
  const bytes = Buffer.from('"ä b"');
  const [one, two] = [bytes.subarray(0, 2), bytes.subarray(2)];
  const url = await answering(
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    `${one.length.toString(16)};note=1\r\n`,
    one,
    `\r\n${two.length.toString(16)}\r\n`,
    two,
    '\r\n0\r\n\r\n',
  );
  expect(await (await get(url)).text()).toBe('"ä b"');
});

test.each([
  ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n', 'done'],
  [
    'chunks',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n0\r\n\r\nxx\r\n',
    '4\r\ndone\r\n0\r\n\r\n',
  ],
  ['nothing', 'HTTP/1.1 204 No Content\r\n', '\r\n'],
])('a server that keeps the connection after %s is not waited for', async (_, ...pieces) => {
  server = createServer((socket: Socket) => {
    socket
      .on('error', () => undefined)
      .once('data', () => {
        socket.write(pieces[0] ?? '', () => setImmediate(() => socket.write(pieces[1] ?? '')));
      });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const answer = await get(`http://127.0.0.1:${(server.address() as AddressInfo).port}/rest/x`);
  expect(await answer.text()).toMatch(/done$|^$/);
});

test('interim answers are passed over, and repeated headers joined', async () => {
  const url = await answering(
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HTTP/1.1 404 Not Found\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 4\r\n\r\ngone',
  );
  const answer = await get(url);
  expect(answer).toMatchObject({ status: 404, headers: { 'x-a': '1, 2' } });
  expect(await answer.text()).toBe('gone');
});

test.each([
  ['shorter than promised', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort'],
  ['without its last chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n'],
  ['without an end of its head', 'HTTP/1.1 200 OK\r\nContent-'],
  ['that is nothing at all', ''],
  ['that is not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
])('an answer %s is a broken connection', async (_, bytes) => {
  await expect(get(await answering(bytes))).rejects.toMatchObject({ name: 'ConnectionError' });
});

test('only small questions in clear go this way', () => {
  const request = { method: 'GET', url: 'http://h/rest/x', headers: {}, idleTimeout: 0, whole: true };
  expect(isBrief(request)).toBe(true);
  expect(isBrief({ ...request, url: 'https://h/rest/x' })).toBe(false);
  expect(isBrief({ ...request, whole: false })).toBe(false);
  expect(isBrief({ ...request, body: (async function* () {})() })).toBe(false);
});
