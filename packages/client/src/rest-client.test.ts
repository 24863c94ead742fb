import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { nodeTransport, type NodeTransport } from './node/transport.ts';
import { RestClient } from './rest-client.ts';
import { sendJson, startHttpServer, type HttpServer } from './testing/http-server.ts';

describe.each([{ brief: true }, { brief: false }])('with brief connections: $brief', ({ brief }) => {
  let server: HttpServer;
  let transport: NodeTransport;

  beforeEach(async () => {
    server = await startHttpServer((_, response) => sendJson(response, { ok: true }));
    transport = nodeTransport({ brief });
  });
  afterEach(async () => {
    transport.close();
    await server.close();
  });

  test('sends JSON with the headers the server expects', async () => {
    const client = new RestClient({ address: server.address, transport, extraHeaders: { 'x-more': '1' } });
    expect(await client.json('DELETE', '/bundles', { query: { force: true }, json: { data: [] } })).toEqual({
      ok: true,
    });
    expect(server.seen[0]).toMatchObject({
      method: 'DELETE',
      path: '/rest/bundles',
      body: '{"data":[]}',
      headers: {
        'x-requested-with': 'XMLHttpRequest',
        'content-type': 'application/json; charset=utf-8',
        'x-more': '1',
      },
    });
    expect(server.seen[0]?.query.get('force')).toBe('1');
  });

  test('an empty answer is undefined', async () => {
    server.answer((_, response) => void response.end());
    const client = new RestClient({ address: server.address, transport });
    expect(await client.json('POST', '/x')).toBeUndefined();
  });

  test('an error status is thrown with what the server said', async () => {
    server.answer((_, response) => {
      response.writeHead(403, { 'x-sheaf-error': 'frozen' }).end('Worksheet w is frozen.');
    });
    const client = new RestClient({ address: server.address, transport });
    await expect(client.json('GET', '/x')).rejects.toMatchObject({
      code: 'frozen',
      message: 'Worksheet w is frozen.',
    });
  });

  test('a refused token is renewed once, and the request sent again', async () => {
    server.answer(({ headers }, response) => {
      if (headers.authorization === 'Bearer new') sendJson(response, { user: 'alice' });
      else response.writeHead(401).end('User is not authenticated.');
    });
    const renewed: string[] = [];
    const authentication = {
      token: () => Promise.resolve('old'),
      renew: (refused: string) => {
        renewed.push(refused);
        return Promise.resolve('new');
      },
    };
    const client = new RestClient({ address: server.address, transport, authentication });
    expect(await client.json('POST', '/user', { json: { a: 1 } })).toEqual({ user: 'alice' });
    expect(renewed).toEqual(['old']);
    expect(server.seen.map(({ body }) => body)).toEqual(['{"a":1}', '{"a":1}']);
  });

  test('where there is no other token, the refusal is thrown', async () => {
    server.answer((_, response) => void response.writeHead(401).end('User is not authenticated.'));
    const authentication = { token: () => Promise.resolve('old'), renew: () => Promise.resolve(undefined) };
    const client = new RestClient({ address: server.address, transport, authentication });
    await expect(client.text('GET', '/user')).rejects.toMatchObject({ code: 'not-authenticated' });
    expect(server.seen).toHaveLength(1);
  });

  test('a connection that breaks in the middle of an answer is an error, not a short answer', async () => {
    server.answer((_, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"half":', () => response.destroy());
    });
    const client = new RestClient({ address: server.address, transport });
    await expect(client.json('GET', '/x')).rejects.toMatchObject({ name: 'ConnectionError' });
  });

  test('nobody there is said with the address', async () => {
    const { address } = server;
    await server.close();
    const client = new RestClient({ address, transport });
    await expect(client.json('GET', '/x')).rejects.toMatchObject({
      name: 'ConnectionError',
      reason: 'ECONNREFUSED',
      message: `Cannot reach ${address}: nothing listens there.`,
    });
  });

  test('an answer that never comes is given up after the idle time', async () => {
    server.answer(() => undefined);
    const client = new RestClient({ address: server.address, transport, idleTimeout: 50 });
    await expect(client.json('GET', '/x')).rejects.toMatchObject({
      name: 'ConnectionError',
      reason: 'ETIMEDOUT',
    });
  });

  test('a caller who gives up gets its own reason', async () => {
    const controller = new AbortController();
    server.answer(() => controller.abort(new Error('enough')));
    const client = new RestClient({ address: server.address, transport });
    await expect(client.json('GET', '/x', { signal: controller.signal })).rejects.toThrow('enough');
  });
});
