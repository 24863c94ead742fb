/* How long sessions wait, how many there may be, and what ends them, by a clock that the test moves. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readSessionControl, sessionData, type SessionControl } from '@sheaf/wire';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { findUserByNameOrEmail } from '../../accounts/users.ts';
import type { Services } from '../../services.ts';
import { manualClock, type ManualClock } from '../../testing/manual-clock.ts';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';
import { createBundle, until, viewBundle } from '../testing/bundles.ts';
import { reportOf, scriptedWorker } from '../testing/scripted-worker.ts';
import { admit, type Admitted } from './admit.ts';
import { callWorker } from './call-worker.ts';
import type { Session } from './session.ts';
import { Sessions } from './sessions.ts';

let server: TestServer;
let uuid: string;
let admitted: Admitted;
beforeAll(async () => {
  server = await startTestServer({ database: 'sqlite' });
  const worker = scriptedWorker(server);
  await worker.checkin({ hold: 0 });
  const waiting = worker.next('run');
  uuid = await createBundle(server, { as: 'alice' });
  const { epoch = 0 } = await waiting;
  await worker.start(uuid, epoch);
  await worker.report([reportOf(uuid, 'running', { epoch })]);
  const { id = '' } = (await findUserByNameOrEmail(server.services.database.queries, 'alice')) ?? {};
  admitted = await admit(server.services, { ...alice, id }, uuid);
});
afterAll(() => server.close());

const alice = { kind: 'user', name: 'alice', isRoot: false, isVerified: true, hasAccess: true } as const;
let clock: ManualClock;
let sessions: Sessions;
let http: Server;
let change: Partial<Services>;
const clients: WebSocket[] = [];
beforeEach(async () => {
  clock = manualClock(server.services.clock.now());
  change = {};
  http = createServer();
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  for (const client of clients.splice(0)) client.terminate();
  sessions.stop();
  clock.advance(1_000);
  http.close();
});

interface Client {
  readonly socket: WebSocket;
  readonly heard: SessionControl[];
  readonly closed: Promise<unknown[]>;
}

function begin(): void {
  sessions = new Sessions({ ...server.services, clock, ...change });
}

async function connect(options: { autoPong?: boolean } = {}): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`, options);
  clients.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'open');
  return socket;
}

async function client(as: Admitted = admitted, options: { autoPong?: boolean } = {}): Promise<Client> {
  http.once('upgrade', (request, socket, head) =>
    sessions.accept({ request, socket, head, path: '/' }, (accepted) => sessions.open(as, accepted)),
  );
  const socket = await connect(options);
  const heard: SessionControl[] = [];
  socket.on('message', (frame: Buffer) => {
    const control = readSessionControl(frame.toString());
    if (control !== undefined) heard.push(control);
  });
  const closed = once(socket, 'close');
  return { socket, heard, closed };
}

/** The session that waits for its worker. */
async function expecting(): Promise<Session> {
  const { queries } = server.services.database;
  return await until(async () => {
    const newest = queries.selectFrom('socket').select('id').orderBy('id', 'desc');
    return sessions.waiting((await newest.executeTakeFirst())?.id ?? 0);
  }, 'the worker is waited for');
}

/** A session whose worker has come. */
async function joined(options: { autoPong?: boolean } = {}): Promise<{ one: Client; worker: WebSocket }> {
  const one = await client(admitted, options);
  one.socket.send(start());
  const session = await expecting();
  http.once('upgrade', (request, socket, head) =>
    sessions.accept({ request, socket, head, path: '/' }, (accepted) => session.join(accepted)),
  );
  const worker = await connect();
  return { one, worker };
}

const start = (command: readonly string[] = ['ls']) =>
  JSON.stringify({ type: 'start', command, terminal: null });
const queued = () =>
  server.services.database.queries.selectFrom('message').select('id').where('type', '=', 'session').execute();
const called = () =>
  until(async () => ((await queued()).length > 0 ? true : undefined), 'the worker is called');
const withdrawn = () =>
  until(async () => ((await queued()).length === 0 ? true : undefined), 'the call is withdrawn');

it('a client that says nothing is not waited for', async () => {
  begin();
  const { heard, closed } = await client();
  clock.advance(10_000);
  await closed;
  expect(heard).toMatchObject([{ type: 'failed', code: 'invalid-request' }]);
});

it('a worker that does not come is given thirty seconds, and called no more', async () => {
  begin();
  const { socket, heard, closed } = await client();
  socket.send(start());
  await expecting();
  clock.advance(29_999);
  expect(socket.readyState).toBe(WebSocket.OPEN);
  clock.advance(1);
  await closed;
  expect(heard).toMatchObject([{ type: 'failed', code: 'worker-unreachable' }]);
  await withdrawn();
});

it('a client that leaves while its worker is being called leaves no call behind', async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let asked = 0;
  change = {
    unitOfWork: async (work) => {
      const first = (asked += 1) === 1;
      const result = await server.services.unitOfWork(work);
      if (first) await held;
      return result;
    },
  };
  begin();
  const { socket, closed } = await client();
  socket.send(start());
  await called();
  socket.close();
  await closed;
  release();
  await withdrawn();
});

it('whoever gives no sign of life between two looks is gone', async () => {
  begin();
  const [silent, lively] = [await joined({ autoPong: false }), await joined()];
  const ends = [silent, lively].flatMap(({ one, worker }) => [one.socket, worker]);
  const pinged = ends.map((socket) => once(socket, 'ping'));
  clock.advance(30_000);
  await Promise.all(pinged);
  // What is sent after an answer comes after it.
  for (const { one, worker } of [silent, lively]) {
    const passed = [once(worker, 'message'), once(one.socket, 'message')];
    one.socket.send(sessionData('stdin', Buffer.from('x')));
    worker.send(sessionData('stdout', Buffer.from('x')));
    await Promise.all(passed);
  }
  const again = once(lively.one.socket, 'ping');
  clock.advance(30_000);
  expect((await silent.one.closed)[0]).toBe(1006);
  await again;
  expect([lively.one.socket.readyState, lively.worker.readyState]).toEqual([WebSocket.OPEN, WebSocket.OPEN]);
});

it('what comes before the worker is kept, but not without end, even if it is nothing', async () => {
  begin();
  for (const piece of [Buffer.alloc(0), sessionData('stdin', Buffer.alloc(60_000))]) {
    const { socket, heard, closed } = await client();
    socket.send(start());
    let sent = 0;
    while (socket.readyState === WebSocket.OPEN && sent < 100_000) {
      socket.send(piece);
      await new Promise(setImmediate);
      sent += 1;
    }
    await closed;
    expect(sent).toBeLessThan(100_000);
    expect(heard).toMatchObject([{ type: 'failed', code: 'too-large' }]);
  }
});

it('a session outlasts its run for its last words only', async () => {
  begin();
  const { heard, closed, socket } = await client();
  socket.send(start());
  await expecting();
  const { events } = server.services;
  const changed = { type: 'bundle.changed', uuid, version: 1 } as const;
  // A worker that is out of reach may still be there for its sessions.
  events.emit({ ...changed, state: 'worker_offline' });
  events.emit({ ...changed, uuid: 'another', state: 'ready' });
  clock.advance(6_000);
  events.emit({ ...changed, state: 'finalizing' });
  clock.advance(4_999);
  expect(heard).toEqual([]);
  expect(socket.readyState).toBe(WebSocket.OPEN);
  clock.advance(1);
  await closed;
  expect(heard).toMatchObject([{ type: 'failed', message: 'The run has ended.' }]);
  await withdrawn();
});

it('one user has so many sessions at most, others have room', async () => {
  begin();
  const ofRun = (runUuid: string) => ({ ...admitted, holder: { ...admitted.holder, runUuid } });
  for (let at = 0; at < 64; at += 1) await client(ofRun(`run-${at}`));
  expect(() => sessions.requireRoom(ofRun('one-more'))).toThrow('There are too many sessions');
  sessions.requireRoom({ ...ofRun('one-more'), user: { ...admitted.user, id: 'somebody-else' } });
});

it('a command of any length leaves a short note', async () => {
  const request = { command: ['x'.repeat(50_000)], terminal: null };
  await callWorker(server.services, admitted, request);
  const { metadata } = await viewBundle(server, uuid);
  const note = (metadata['actions'] as string[]).at(-1) ?? '';
  expect(note).toMatch(/^exec\tx{1000} …$/);
});

it('nothing is started in another attempt than the one that was looked at', async () => {
  const before = await queued();
  const other = { ...admitted, holder: { ...admitted.holder, epoch: admitted.holder.epoch + 1 } };
  await expect(callWorker(server.services, other, { command: ['ls'], terminal: null })).rejects.toMatchObject(
    {
      code: 'action-refused',
    },
  );
  expect(await queued()).toEqual(before);
});

it('nothing is started in a run that is being killed', async () => {
  const attributes = { type: 'kill', uuid };
  const data = [{ type: 'bundle-actions', attributes }];
  await server.fetch('/rest/bundle-actions', { as: 'alice', method: 'POST', json: { data } });
  await expect(admit(server.services, admitted.user, uuid)).rejects.toThrow('it is being killed');
});
