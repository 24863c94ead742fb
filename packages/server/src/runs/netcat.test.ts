import { request as requestHttp, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { createBundle, until, untilState } from './testing/bundles.ts';
import { reportOf, scriptedWorker, type ScriptedWorker } from './testing/scripted-worker.ts';

describe.each(databases)('services inside runs (%s)', (database) => {
  let server: TestServer;
  let worker: ScriptedWorker;
  let uuid: string;
  let report: ReturnType<typeof reportOf>;
  beforeAll(async () => {
    server = await startTestServer({ database });
    worker = scriptedWorker(server);
    await worker.checkin({ hold: 0 });
    const waiting = worker.next('run');
    uuid = await createBundle(server, { as: 'alice' });
    const { epoch = 0 } = await waiting;
    await worker.start(uuid, epoch);
    report = reportOf(uuid, 'running', { epoch });
    await worker.report([report]);
  });
  afterAll(async () => {
    await server.close();
  });

  const netcat = (message: string, as = 'alice') =>
    server.fetch(`/rest/bundles/${uuid}/netcat/5005/`, { as, method: 'PUT', json: { message } });
  const curl = async (
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body: string | Buffer = '',
  ) => {
    const sending = requestHttp(`${server.url}/rest/bundles/${uuid}/netcurl/8080${path}`, {
      method,
      headers: { authorization: `Bearer ${await server.tokenFor('alice')}`, ...headers },
    });
    sending.end(body);
    const [response] = (await once(sending, 'response')) as [IncomingMessage];
    const pieces: Buffer[] = [];
    for await (const piece of response as AsyncIterable<Buffer>) pieces.push(piece);
    return { response, body: Buffer.concat(pieces).toString() };
  };

  it('passes a message and its raw answer', async () => {
    const asked = netcat('yo dawg!');
    const message = await worker.next('netcat', { runs: [report] });
    expect(message).toMatchObject({ uuid, port: 5005, message: 'yo dawg!' });
    await worker.replyData(message.socket_id, Buffer.from([0xff, 0x00, 0x41]));
    const answer = await asked;
    expect(answer.headers.get('content-type')).toBe('application/octet-stream');
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(Buffer.from([0xff, 0x00, 0x41]));
  });

  it('takes an empty object for an empty answer', async () => {
    const asked = netcat('hush');
    const message = await worker.next('netcat', { runs: [report] });
    await worker.reply(message.socket_id, {});
    expect(await (await asked).text()).toBe('');
  });

  it('passes an HTTP request without credentials, and the program’s answer without cookies', async () => {
    const asked = curl(
      'POST',
      '/a%20b/c?x=1&y=%26',
      { cookie: 'codalab_session=secret', 'x-own': 'kept', connection: 'keep-alive' },
      'payload',
    );
    const message = await worker.next('netcat', { runs: [report] });
    const [head = '', body] = message.message.split('\r\n\r\n');
    expect(head.split('\r\n')[0]).toBe('POST /a%20b/c?x=1&y=%26 HTTP/1.1');
    expect(head.toLowerCase()).toContain('x-own: kept');
    expect(head.toLowerCase()).toContain('connection: close');
    expect(head.toLowerCase()).not.toMatch(/authorization|cookie|secret/);
    expect(body).toBe('payload');
    await worker.replyData(
      message.socket_id,
      'HTTP/1.1 418 Teapot\r\nX-Tea: yes\r\nSet-Cookie: a=b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    );
    const { response, body: text } = await asked;
    expect(response.statusCode).toBe(418);
    expect(response.headers['x-tea']).toBe('yes');
    expect(response.headers['set-cookie']).toBeUndefined();
    expect(response.headers['content-security-policy']).toContain('sandbox');
    expect(text).toBe('abc');
  });

  it('passes a huge answer on as fast as it is read, with little in memory', async () => {
    const piece = Buffer.alloc(256 * 1024, 'x');
    const all = 256 * piece.length;
    const sending = requestHttp(`${server.url}/rest/bundles/${uuid}/netcurl/8080/`, {
      headers: { authorization: `Bearer ${await server.tokenFor('alice')}` },
    });
    sending.end();
    const answered = once(sending, 'response') as Promise<[IncomingMessage]>;
    const message = await worker.next('netcat', { runs: [report] });
    const reply = requestHttp(
      `${server.url}/rest/workers/${worker.id}/reply_data/${message.socket_id}?header_message={}`,
      { method: 'POST', headers: { authorization: `Bearer ${await server.tokenFor(worker.owner)}` } },
    );
    const taken = once(reply, 'response') as Promise<[IncomingMessage]>;
    reply.write(`HTTP/1.1 200 OK\r\nContent-Length: ${all}\r\n\r\n`);
    let given = 0;
    const more = () => {
      while (given < all) {
        given += piece.length;
        if (!reply.write(piece)) return void reply.once('drain', more);
      }
      reply.end();
    };
    more();
    // It has begun to come, and then stands still because nobody reads it.
    const [response] = await answered;
    let [seen, still] = [-1, 0];
    while (still < 20 && given < all) {
      [seen, still] = [given, seen === given ? still + 1 : 0];
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(given).toBeLessThan(all / 2);

    let received = 0;
    for await (const bytes of response as AsyncIterable<Buffer>) received += bytes.length;
    expect(received).toBe(all);
    const [end] = await taken;
    end.resume();
    expect(end.statusCode).toBe(200);
  });

  it('carries what is no text', async () => {
    const asked = curl('PUT', '/', {}, Buffer.from([0xff, 0xfe, 0x00]));
    const message = await worker.next('netcat', { runs: [report] });
    expect(message.message).toBe('');
    const bytes = Buffer.from(message.message_base64 ?? '', 'base64');
    expect(bytes.subarray(-3)).toEqual(Buffer.from([0xff, 0xfe, 0x00]));
    await worker.replyData(message.socket_id, 'HTTP/1.1 204 No Content\r\n\r\n');
    expect((await asked).response.statusCode).toBe(204);
  });

  it('reads an answer that ends with the connection', async () => {
    const asked = curl('GET', '/');
    const message = await worker.next('netcat', { runs: [report] });
    await worker.replyData(
      message.socket_id,
      'HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\nHi this is dawg',
    );
    const { response, body } = await asked;
    expect(response.headers['content-type']).toBe('text/html');
    expect(body).toBe('Hi this is dawg');
  });

  it('answers 504 where the program talks nonsense, or the worker says no', async () => {
    const nonsense = curl('GET', '/');
    let message = await worker.next('netcat', { runs: [report] });
    await worker.replyData(message.socket_id, 'this is no HTTP\r\n');
    expect((await nonsense).response.statusCode).toBe(504);
    const refused = netcat('x');
    message = await worker.next('netcat', { runs: [report] });
    await worker.reply(message.socket_id, { error_code: 500, error_message: 'Connection refused' });
    const answer = await refused;
    expect(answer.status).toBe(504);
    expect(await answer.text()).toContain('Connection refused');
  });

  it('withdraws a question whose asker has left', async () => {
    const leaving = new AbortController();
    const asked = fetch(`${server.url}/rest/bundles/${uuid}/netcat/5005/`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${await server.tokenFor('alice')}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ message: 'never mind' }),
      signal: leaving.signal,
    });
    const { queries } = server.services.database;
    const queued = () => queries.selectFrom('message').select('id').where('type', '=', 'netcat').execute();
    await until(async () => ((await queued()).length > 0 ? true : undefined), 'the question is queued');
    leaving.abort();
    await expect(asked).rejects.toThrow();
    await until(async () => ((await queued()).length === 0 ? true : undefined), 'the question is withdrawn');
  });

  it('refuses strangers, odd ports and runs that do not run', async () => {
    const denied = await netcat('x', 'mallory');
    expect(denied.status).toBe(403);
    await denied.text();
    const odd = await server.fetch(`/rest/bundles/${uuid}/netcat/99999/`, {
      as: 'alice',
      method: 'PUT',
      json: { message: '' },
    });
    expect(odd.status).toBe(400);
    await odd.text();
    const idle = await createBundle(server, { as: 'alice', metadata: { request_queue: 'nobody' } });
    await untilState(server, idle, ['staged'], 'alice');
    const waiting = await server.fetch(`/rest/bundles/${idle}/netcat/1/`, {
      as: 'alice',
      method: 'PUT',
      json: { message: '' },
    });
    expect(waiting.status).toBe(403);
    expect(await waiting.text()).toBe('Cannot netcat bundle, bundle not running.');
    const nobody = await server.fetch(`/rest/bundles/${idle}/netcurl/1/`, { as: 'alice' });
    expect(nobody.status).toBe(504);
    await nobody.text();
  });
});
