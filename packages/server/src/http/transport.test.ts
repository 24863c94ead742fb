/* What original clients need of the transport (rest-api.md §1-§3, execution.md §2), on real sockets. */
import { errorCodeHeader, errorNextHeader } from '@sheaf/wire';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { manualClock } from '../testing/manual-clock.ts';
import { openRawConnection } from '../testing/raw-connection.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { sendJson, sendNothing } from './json.ts';
import { registerRaw } from './raw-body.ts';

const clock = manualClock();
const access = { config: { access: 'public' } } as const;
let server: TestServer;
/** Lets the held uploads be answered. */
let release = () => {};
let arrived: Promise<void>;
let arrive = () => {};

beforeAll(async () => {
  server = await startTestServer({
    database: 'sqlite',
    clock,
    extend: (app, services) => {
      app.get('/rest/broken', access, () => {
        throw new Error('secret detail');
      });
      app.post('/rest/echo', access, (request, reply) => sendJson(reply, { data: request.body ?? null }));
      registerRaw(app, services, (scope) => {
        scope.put('/rest/held/', access, async (request, reply) => {
          let length = 0;
          for await (const chunk of request.raw) length += (chunk as Buffer).length;
          const released = new Promise<void>((resolve) => (release = resolve));
          arrive();
          await released;
          return sendJson(reply, { length });
        });
        scope.put('/rest/refused/', { config: { access: 'user' } }, async (_request, reply) =>
          sendNothing(reply),
        );
      });
    },
  });
});
afterAll(() => server.close());

function hold(): void {
  arrived = new Promise((resolve) => (arrive = resolve));
}

const upload = (target: string) =>
  `PUT ${target} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nX-Requested-With: XMLHttpRequest\r\n\r\n5\r\nhello\r\n0\r\n\r\n`;

it('answers exactly application/json, with the version, uncompressed', async () => {
  const response = await server.fetch('/rest/users/root', { headers: { 'accept-encoding': 'gzip' } });

  expect(response.headers.get('content-type')).toBe('application/json');
  expect(response.headers.get('content-encoding')).toBeNull();
  expect(await response.json()).toMatchObject({ meta: { version: '1.7.3' } });
});

it('takes the whole URL as request target', async () => {
  const connection = await openRawConnection(server.url);

  connection.send('GET http://elsewhere:1/rest/users/root HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');

  expect(await connection.ended()).toContain('"user_name":"root"');
});

it('ignores NUL bytes while an answer is outstanding, and still delivers it', async () => {
  const connection = await openRawConnection(server.url);
  hold();
  connection.send(upload('http://x/rest/held/'));
  await arrived;

  connection.send(new Uint8Array([0]));
  connection.send(new Uint8Array([0]));
  // Another request on another connection: by its answer, the bytes have been read.
  await server.fetch('/health');
  release();

  const text = await connection.ended();
  expect(text).toContain('HTTP/1.1 200 OK');
  expect(text).toContain('{"length":5,"meta":{"version":"1.7.3"}}');
});

it('ignores NUL bytes after a body of many packets', async () => {
  const connection = await openRawConnection(server.url);
  hold();
  connection.send(
    'PUT http://x/rest/held/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nX-Requested-With: XMLHttpRequest\r\n\r\n',
  );
  const chunk = Buffer.concat([Buffer.from('4000\r\n'), Buffer.alloc(16_384, 'x'), Buffer.from('\r\n')]);
  for (let count = 0; count < 300; count += 1) connection.send(chunk);
  connection.send('0\r\n\r\n');
  await arrived;

  connection.send(new Uint8Array([0]));
  await server.fetch('/health');
  connection.send(new Uint8Array([0, 0]));
  await server.fetch('/health');
  release();

  expect(await connection.ended()).toContain('{"length":4915200');
});

it('ignores a NUL byte that comes with the end of the body', async () => {
  const connection = await openRawConnection(server.url);
  hold();
  connection.send(Buffer.concat([Buffer.from(upload('/rest/held/')), new Uint8Array([0])]));
  await arrived;
  release();

  expect(await connection.ended()).toContain('{"length":5');
});

it('refuses garbage where nothing is outstanding', async () => {
  const connection = await openRawConnection(server.url);

  connection.send('\0\0\0garbage\r\n\r\n');

  expect(await connection.ended()).toMatch(/^HTTP\/1.1 400 Bad Request/);
});

it('keeps original clients waiting with an interim answer before their minute is over', async () => {
  const connection = await openRawConnection(server.url);
  hold();
  connection.send(upload('http://x/rest/held/'));
  await arrived;

  clock.advance(50_000);
  await connection.received((text) => text === 'HTTP/1.1 100 Continue\r\n\r\n');
  clock.advance(50_000);
  await connection.received((text) => text === 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(2));
  release();

  await connection.received((text) => text.includes('HTTP/1.1 200 OK'));
  connection.close();
});

it('sends no interim answer to other clients', async () => {
  const connection = await openRawConnection(server.url);
  hold();
  connection.send(upload('/rest/held/'));
  await arrived;

  clock.advance(200_000);
  release();

  const text = await connection.received((received) => received.includes('{"length":5'));
  expect(text).not.toContain('100 Continue');
  connection.close();
});

it('lets a refused upload be sent to its end', async () => {
  const connection = await openRawConnection(server.url);
  connection.send(
    'PUT /rest/refused/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nX-Requested-With: XMLHttpRequest\r\n\r\n',
  );
  const chunk = Buffer.alloc(16_384, 'x');
  for (let count = 0; count < 200; count += 1) {
    connection.send(`4000\r\n`);
    connection.send(chunk);
    connection.send('\r\n');
  }
  connection.send('0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n');

  // The next request on the connection is served, so the body was read.
  const text = await connection.received((received) => received.includes('"status":"ok"'));
  expect(text).toMatch(/^HTTP\/1.1 401/);
  connection.close();
});

it('answers errors of programs as plain text, with code and next step', async () => {
  const response = await server.fetch('/rest/users/nobody');

  expect(response.status).toBe(404);
  expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  expect(response.headers.get(errorCodeHeader)).toBe('not-found');
  expect(response.headers.get(errorNextHeader)).not.toBeNull();
  expect(await response.text()).toBe('User nobody not found');
});

it('answers errors of browsers as a page whose first pre element is the message', async () => {
  const response = await fetch(`${server.url}/rest/users/a%3Cb%3E`);

  expect(response.headers.get('content-type')).toMatch(/^text\/html/);
  expect(/<pre>(.*?)<\/pre>/.exec(await response.text())?.[1]).toBe('User a&lt;b&gt; not found');
});

it('tells nothing of the inside when something unexpected fails', async () => {
  const response = await server.fetch('/rest/broken');
  const text = await response.text();

  expect(response.status).toBe(500);
  expect(text).toMatch(/^Unexpected Internal Error \(.+\)\. The administrators have been notified\.$/);
  expect(text).not.toContain('secret');
});

it.each([
  ['GET', '/rest/nothing', 404, "Not found: '/rest/nothing'"],
  ['GET', '/rest/bundles/', 404, "Not found: '/rest/bundles/'"],
  ['POST', '//rest/oauth2/token', 404, "Not found: '//rest/oauth2/token'"],
  ['PUT', '/rest/users', 405, 'Method not allowed.'],
])('%s %s: %d', async (method, path, status, message) => {
  const response = await server.fetch(path, { method });

  expect(response.status).toBe(status);
  expect(await response.text()).toBe(message);
});

it('says which methods a path has', async () => {
  const response = await server.fetch('/rest/users', { method: 'PUT' });

  expect(response.headers.get('allow')).toBe('DELETE,GET,HEAD,PATCH,POST');
});

it('answers HEAD like GET without a body', async () => {
  const response = await server.fetch('/rest/users/root', { method: 'HEAD' });

  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(await response.text()).toBe('');
});

it('refuses invalid JSON before it asks who sends it', async () => {
  const response = await server.fetch('/rest/bundles', {
    method: 'POST',
    body: '{"data":',
    headers: { 'content-type': 'Application/JSON; charset=utf-8' },
  });

  expect(response.status).toBe(400);
  expect(await response.text()).toBe('Invalid JSON');
});

it('refuses JSON over 8 MiB', async () => {
  const response = await server.fetch('/rest/echo', {
    method: 'POST',
    json: { text: 'x'.repeat(9 * 1024 * 1024) },
  });

  expect(response.status).toBe(413);
  expect(response.headers.get(errorCodeHeader)).toBe('too-large');
});

it('treats a body of another type as none', async () => {
  const response = await server.fetch('/rest/bundles?detached=1', {
    as: 'maria',
    method: 'POST',
    body: 'a,b',
    headers: { 'content-type': 'text/csv' },
  });

  expect(response.status).toBe(400);
});

it('takes request lines of 64 KiB', async () => {
  const uuids = Array.from({ length: 1300 }, () => `specs=0x${'0'.repeat(32)}`).join('&');

  const response = await server.fetch(`/rest/bundles?${uuids}`);

  expect(response.status).toBe(404);
  expect(await response.text()).toBe(`Bundle 0x${'0'.repeat(32)} not found`);
});

it('understands a percent sign that begins no escape, and refuses what is no UTF-8', async () => {
  expect((await server.fetch('/rest/users/a%zz')).status).toBe(404);
  expect((await server.fetch('/rest/users/%ff%fe')).status).toBe(400);
});

it('leads browsers that are not signed in to the login page, and tells programs', async () => {
  const browser = await fetch(`${server.url}/rest/user?a=1`, {
    redirect: 'manual',
    headers: { 'x-forwarded-host': 'codalab.example', 'x-forwarded-proto': 'https' },
  });
  const program = await server.fetch('/rest/user');
  const old = await openRawConnection(server.url);
  old.send('GET /rest/user HTTP/1.0\r\nHost: x\r\n\r\n');

  expect(browser.status).toBe(303);
  expect(browser.headers.get('location')).toBe(
    `https://codalab.example/account/login?next=${encodeURIComponent('https://codalab.example/rest/user?a=1')}`,
  );
  expect(program.status).toBe(401);
  expect(await program.text()).toBe('User is not authenticated.');
  expect(await old.ended()).toMatch(/^HTTP\/1.1 302 Found/);
});

it('treats an unknown token as nobody: what is public stays open', async () => {
  const headers = { authorization: 'Bearer unknown' };

  expect((await server.fetch('/rest/users/root', { headers })).status).toBe(200);
  expect((await server.fetch('/rest/user', { headers })).status).toBe(401);
});

it('takes the token from the query where there is no Authorization header', async () => {
  const token = await server.tokenFor('maria');

  const response = await server.fetch(`/rest/user?access_token=${token}`);

  expect(await response.json()).toMatchObject({ data: { attributes: { user_name: 'maria' } } });
});

it('refuses unverified users everywhere but at their own account', async () => {
  await server.createUser({ name: 'unverified', isVerified: false });

  expect((await server.fetch('/rest/user', { as: 'unverified' })).status).toBe(200);
  const refused = await server.fetch('/rest/users/root', { as: 'unverified' });
  expect(refused.status).toBe(401);
  expect(await refused.text()).toBe('User is not verified.');
});

it('reports health and numbers to operators', async () => {
  expect(await (await server.fetch('/health')).json()).toMatchObject({ status: 'ok' });
  const metrics = await (await server.fetch('/metrics')).text();
  expect(metrics).toMatch(/^sheaf_http_requests_total\{method="GET",status="2xx"\} \d+$/m);
  expect(metrics).toMatch(/^sheaf_scheduler_passes_total \d+$/m);
  expect(metrics).toMatch(/^sheaf_bundles\{state="staged"\} 0$/m);
});
