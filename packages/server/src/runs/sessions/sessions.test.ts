/* Sessions at the server: who may open one, what is written down, and what passes between the two ends. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  readSessionControl,
  readSessionData,
  sessionData,
  sessionPiece,
  sessionWindow,
  type RunReportInput,
  type WorkerMessage,
} from '@sheaf/wire';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { startTestServer, databases, type TestServer } from '../../testing/test-server.ts';
import { createBundle, until, untilState, uploadFile, viewBundle } from '../testing/bundles.ts';
import { originalWorker } from '../testing/original-worker.ts';
import { reportOf, scriptedWorker, type ScriptedWorker } from '../testing/scripted-worker.ts';

interface End {
  readonly socket: WebSocket;
  /** What came: control messages as objects, bytes as `<stream>:<text>`. */
  readonly heard: unknown[];
  readonly closed: Promise<unknown>;
}

const start = JSON.stringify({ type: 'start', command: ['ls', '-l', 'a b'], terminal: null });

describe.each(databases)('sessions (%s)', (database) => {
  let server: TestServer;
  let worker: ScriptedWorker;
  let uuid: string;
  const open: WebSocket[] = [];
  const reports: RunReportInput[] = [];

  beforeAll(async () => {
    server = await startTestServer({ database });
    worker = scriptedWorker(server);
    await worker.checkin({ hold: 0 });
    uuid = await running();
    await server.tokenFor('bob');
    const group = await server.services.database.queries
      .selectFrom('user_group')
      .select('uuid')
      .where('name', '=', 'public')
      .executeTakeFirstOrThrow();
    const relationships = {
      bundle: { data: { type: 'bundles', id: uuid } },
      group: { data: { type: 'groups', id: group.uuid } },
    };
    const data = [{ type: 'bundle-permissions', attributes: { permission: 1 }, relationships }];
    await server.fetch('/rest/bundle-permissions', { as: 'alice', method: 'POST', json: { data } });
  });
  afterEach(() => {
    for (const socket of open.splice(0)) socket.terminate();
  });
  afterAll(() => server.close());

  async function running(): Promise<string> {
    const waiting = next('run');
    const run = await createBundle(server, { as: 'alice' });
    const { epoch = 0 } = await waiting;
    await worker.start(run, epoch);
    const report = reportOf(run, 'running', { epoch });
    await worker.report([report]);
    reports.push(report);
    return run;
  }

  /** What it holds is reported with every check-in, as workers do. */
  const next = <Type extends WorkerMessage['type']>(type: Type) => worker.next(type, { runs: reports });

  async function dial(
    path: string,
    as?: string,
  ): Promise<End | { status: number; text: string; code: string }> {
    const headers = as === undefined ? {} : { authorization: `Bearer ${await server.tokenFor(as)}` };
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}${path}`, { headers });
    open.push(socket);
    const heard: unknown[] = [];
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => undefined);
    socket.on('message', (frame: Buffer, isBinary) => {
      const data = isBinary ? readSessionData(frame) : undefined;
      heard.push(
        data === undefined
          ? (readSessionControl(frame.toString()) ?? frame.toString())
          : `${data.stream}:${Buffer.from(data.bytes).toString()}`,
      );
    });
    return await new Promise((resolve) => {
      socket.once('open', () => resolve({ socket, heard, closed }));
      socket.once('unexpected-response', (_request, response: IncomingMessage) => {
        const code = String(response.headers['x-sheaf-error']);
        void text(response).then((body) => resolve({ status: response.statusCode ?? 0, text: body, code }));
      });
    });
  }

  async function connected(path: string, as: string): Promise<End> {
    const end = await dial(path, as);
    if (!('socket' in end)) throw new Error(`${end.status}: ${end.text}`);
    return end;
  }

  const client = () => connected(`/rest/bundles/${uuid}/exec`, 'alice');
  const socketPath = (socket: number, id = 'worker-1') => `/rest/workers/${id}/session/${socket}`;
  const heard = (end: End, what: (one: unknown) => boolean) =>
    until(
      async () => (end.heard.some(what) ? true : undefined),
      `hearing it among ${JSON.stringify(end.heard)}`,
    );

  /** Both ends of a session that has begun. */
  async function both(): Promise<{ client: End; worker: End; socketId: number }> {
    const one = await client();
    one.socket.send(start);
    const { socket_id: socketId } = await next('session');
    return { client: one, worker: await connected(socketPath(socketId), 'root'), socketId };
  }

  describe('may not be opened', () => {
    it.each([
      ['by nobody', undefined, 401, 'not-authenticated'],
      ['by somebody who may only read the run', 'bob', 403, 'permission-denied'],
    ])('%s', async (_, as, status, code) => {
      expect(await viewBundle(server, uuid, 'bob')).toMatchObject({ state: 'running' });
      expect(await dial(`/rest/bundles/${uuid}/exec`, as)).toMatchObject({ status, code });
    });

    it('by somebody who is not verified', async () => {
      await server.createUser({ name: 'fresh', isVerified: false });
      expect(await dial(`/rest/bundles/${uuid}/exec`, 'fresh')).toMatchObject({
        status: 401,
        code: 'not-verified',
      });
    });

    it('with a token that is none', async () => {
      expect(await dial(`/rest/bundles/${uuid}/exec?access_token=x`)).toMatchObject({ status: 401 });
    });

    it('in a bundle that does not exist, or is no run', async () => {
      const dataset = await uploadFile(server, 'x', { as: 'alice' });
      expect(await dial(`/rest/bundles/0x${'0'.repeat(32)}/exec`, 'alice')).toMatchObject({ status: 404 });
      expect(await dial(`/rest/bundles/${dataset}/exec`, 'alice')).toMatchObject({
        status: 400,
        text: `Cannot start a command in bundle ${dataset}: it is a dataset, not a run.`,
      });
    });

    it('in a run that waits or has ended', async () => {
      const waiting = await createBundle(server, { as: 'alice', metadata: { request_cpus: 99 } });
      expect(await dial(`/rest/bundles/${waiting}/exec`, 'alice')).toMatchObject({
        status: 400,
        text: expect.stringMatching(/it is (created|staged), not running\.$/) as string,
      });
      await server.fetch('/rest/bundle-actions', {
        as: 'alice',
        method: 'POST',
        json: { data: [{ type: 'bundle-actions', attributes: { type: 'kill', uuid: waiting } }] },
      });
      expect(await dial(`/rest/bundles/${waiting}/exec`, 'alice')).toMatchObject({
        text: expect.stringContaining('it is killed, not running.') as string,
      });
    });

    it('on an original worker', async () => {
      const old = await originalWorker(server);
      await old.checkin({ hold: 0, tag: 'old' });
      const run = await createBundle(server, { as: 'alice', metadata: { request_queue: 'tag=old' } });
      await until(async () => {
        const messages = await old.checkin({ tag: 'old' });
        return messages.some((message) => message?.['type'] === 'run') ? true : undefined;
      }, 'the run is given out');
      await old.start(run);
      await old.checkin({ tag: 'old', runs: [reportOf(run, 'running')] });
      await untilState(server, run, ['running']);
      expect(await dial(`/rest/bundles/${run}/exec`, 'alice')).toMatchObject({
        status: 400,
        text: expect.stringContaining('is an original CodaLab worker') as string,
      });
    });

    it('more often than a run bears', async () => {
      const ends = await Promise.all(Array.from({ length: 16 }, () => client()));
      expect(await dial(`/rest/bundles/${uuid}/exec`, 'alice')).toMatchObject({
        status: 400,
        text: expect.stringContaining('There are 16 sessions') as string,
      });
      for (const end of ends) end.socket.close();
      await Promise.all(ends.map(({ closed }) => closed));
      await client();
    });

    it.each([
      ['words that are no JSON', 'x'],
      ['another message', '{"type":"end"}'],
      ['a zero byte', JSON.stringify({ type: 'start', command: ['a\0'], terminal: null })],
    ])('with %s at first', async (_, first) => {
      const one = await client();
      one.socket.send(first);
      await one.closed;
      expect(one.heard).toMatchObject([{ type: 'failed', code: 'invalid-request' }]);
    });
  });

  it('are told to the worker, and written down', async () => {
    const before = await viewBundle(server, uuid);
    const one = await client();
    one.socket.send(start);
    expect(await next('session')).toMatchObject({
      uuid,
      command: ['ls', '-l', 'a b'],
      terminal: null,
    });
    const two = await client();
    two.socket.send(
      JSON.stringify({ type: 'start', command: [], terminal: { rows: 24, columns: 80 }, term: 'xterm' }),
    );
    expect(await next('session')).toMatchObject({
      command: [],
      terminal: { rows: 24, columns: 80 },
      term: 'xterm',
    });

    const { metadata } = await viewBundle(server, uuid);
    const earlier = (before.metadata['actions'] ?? []) as string[];
    expect(metadata['actions']).toEqual([...earlier, "exec\tls -l 'a b'", 'shell']);
    const events = await server.services.database.queries
      .selectFrom('bundle_event')
      .select(['kind', 'details', 'at'])
      .where('bundle_uuid', '=', uuid)
      .where('kind', '=', 'session')
      .orderBy('id')
      .execute();
    const texts = events.map(({ details }) => (JSON.parse(details) as { text: string }).text);
    expect(texts.slice(-2)).toEqual(["alice started a command: ls -l 'a b'", 'alice opened a shell.']);
  });

  it('pass everything both ways, what came before the worker too', async () => {
    const one = await client();
    one.socket.send(start);
    one.socket.send(sessionData('stdin', Buffer.from('early')));
    const { socket_id: socketId } = await next('session');
    const other = await connected(socketPath(socketId), 'root');
    await heard(other, (said) => said === 'stdin:early');
    one.socket.send(sessionData('stdin', Buffer.from('late')));
    one.socket.send('{"type":"end"}');
    await heard(other, (said) => JSON.stringify(said) === '{"type":"end"}');
    other.socket.send(sessionData('stderr', Buffer.from('warning')));
    other.socket.send(sessionData('stdout', Buffer.from('out')));
    other.socket.send('{"type":"exit","code":7}');
    other.socket.close(1000);
    await heard(one, (said) => JSON.stringify(said) === '{"type":"exit","code":7}');

    expect(one.heard).toEqual(['stderr:warning', 'stdout:out', { type: 'exit', code: 7 }]);
    expect(other.heard).toEqual(['stdin:early', 'stdin:late', { type: 'end' }]);
    // Whoever takes its time still gets everything: the client is the one to close.
    expect(one.socket.readyState).toBe(WebSocket.OPEN);
  });

  describe('the worker’s end', () => {
    it('is open to its worker only', async () => {
      const one = await client();
      one.socket.send(start);
      const { socket_id: socketId } = await next('session');
      const refused = { status: 403, text: 'Not your socket ID!' };
      await scriptedWorker(server, { id: 'other' }).checkin({ hold: 0 });
      await scriptedWorker(server, { owner: 'bob' }).checkin({ hold: 0 });

      expect(await dial(socketPath(socketId))).toMatchObject({ status: 401 });
      expect(await dial(socketPath(socketId), 'bob')).toMatchObject(refused);
      expect(await dial(socketPath(socketId), 'alice')).toMatchObject(refused);
      expect(await dial(socketPath(socketId, 'other'), 'root')).toMatchObject(refused);
      expect(await dial(socketPath(socketId + 1), 'root')).toMatchObject(refused);
      expect(await dial('/rest/workers/worker-1/session/x', 'root')).toMatchObject({ status: 404 });
      expect(one.heard).toEqual([]);
      expect(await connected(socketPath(socketId), 'root')).toHaveProperty('socket');
    });

    it('is open once', async () => {
      const { socketId } = await both();
      expect(await dial(socketPath(socketId), 'root')).toMatchObject({ status: 404 });
    });

    it('is not wanted any more when the client has left', async () => {
      const one = await client();
      one.socket.send(start);
      const { socket_id: socketId } = await next('session');
      one.socket.close();
      await one.closed;
      await until(
        async () => (server.execution.sessions.waiting(socketId) === undefined ? true : undefined),
        'the session is forgotten',
      );
      expect(await dial(socketPath(socketId), 'root')).toMatchObject({ status: 404 });
    });

    it('cannot be the socket of a question', async () => {
      const asked = server.fetch(`/rest/bundles/${uuid}/netcat/80/`, {
        as: 'alice',
        method: 'PUT',
        json: { message: 'x' },
      });
      const { socket_id: socketId } = await next('netcat');
      expect(await dial(socketPath(socketId), 'root')).toMatchObject({ status: 404 });
      await worker.replyData(socketId, 'answer');
      expect(await (await asked).text()).toBe('answer');
    });
  });

  describe('end', () => {
    it('for the worker when the client leaves, however it leaves', async () => {
      for (const leave of ['close', 'terminate'] as const) {
        const { client: one, worker: other } = await both();
        one.socket[leave]();
        await other.closed;
      }
    });

    it('with words when the worker breaks off', async () => {
      const { client: one, worker: other } = await both();
      other.socket.terminate();
      await one.closed;
      expect(one.heard).toMatchObject([{ type: 'failed', code: 'worker-unreachable' }]);
    });

    it('with words when the run is deleted', async () => {
      const { client: one } = await both();
      server.services.events.emit({ type: 'bundle.deleted', uuid });
      await heard(one, (said) => JSON.stringify(said).includes('The run was deleted.'));
    });

    it('when one end sends more than the other takes', async () => {
      const { client: one, worker: other } = await both();
      other.socket.pause();
      const piece = Buffer.alloc(sessionPiece);
      let sent = 0;
      while (one.socket.readyState === WebSocket.OPEN && sent < 64 * sessionWindow) {
        await new Promise((resolve) => one.socket.send(sessionData('stdin', piece), resolve));
        sent += piece.length;
      }
      await one.closed;
      expect(one.heard).toMatchObject([{ type: 'failed', code: 'too-large' }]);
      expect(sent).toBeLessThan(64 * sessionWindow);
    });
  });

  it('nothing else becomes a WebSocket', async () => {
    expect(await dial('/rest/bundles', 'alice')).toMatchObject({ status: 404 });
    expect(await dial(`/rest/bundles/${uuid}/exec/x`, 'alice')).toMatchObject({ status: 404 });
  });

  it('a connection that is refused is not kept for those who do not hang up', async () => {
    const { hostname, port } = new URL(server.url);
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => undefined);
    socket.write('GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    let said = '';
    socket.on('data', (bytes: Buffer) => (said += bytes.toString()));
    await once(socket, 'end');
    expect(said).toContain('404 Not Found');
    // The server has gone altogether: what is sent to it now comes back as an error.
    await until(async () => {
      socket.write('x');
      return socket.destroyed ? true : undefined;
    }, 'the connection is gone');
  });
});

it('sessions end with words when the server stops', async () => {
  const server = await startTestServer({ database: 'sqlite' });
  const worker = scriptedWorker(server);
  await worker.checkin({ hold: 0 });
  const waiting = worker.next('run');
  const uuid = await createBundle(server);
  const { epoch = 0 } = await waiting;
  await worker.start(uuid, epoch);
  await worker.report([reportOf(uuid, 'running', { epoch })]);
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/rest/bundles/${uuid}/exec`, {
    headers: { authorization: `Bearer ${await server.tokenFor('root')}` },
  });
  await once(socket, 'open');
  socket.send(start);
  await worker.next('session');
  const said = once(socket, 'message');
  const closed = once(socket, 'close');
  await server.close();

  expect(String((await said)[0])).toContain('The server is being stopped');
  await closed;
});
