import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createBundle, until, untilState } from '../runs/testing/bundles.ts';
import { originalWorker } from '../runs/testing/original-worker.ts';
import { reportOf } from '../runs/testing/scripted-worker.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { workerIdsFrom } from './wake-ups.ts';

it.each([
  ['/worker/node7(4242)', ['node7(4242)']],
  ['/ws/worker/a%20b', ['a%20b', 'a b']],
  ['/any/prefix/worker/x?y=1', ['x']],
  ['/worker/100%', ['100%']],
  ['/worker/', []],
  ['/main', []],
  [`/worker/${'x'.repeat(200)}`, []],
])('%s names the workers %j', (target, ids) => {
  expect(workerIdsFrom(target)).toEqual(ids);
});

describe('waking workers up', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ database: 'sqlite' });
  });
  afterAll(async () => {
    await server.close();
  });

  const connect = async (path: string) => {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}${path}`);
    const heard: string[] = [];
    socket.on('message', (data: Buffer) => heard.push(data.toString()));
    await once(socket, 'open');
    return { socket, heard };
  };

  it('tells every connection of the id, once until the worker has come', async () => {
    const worker = await originalWorker(server);
    await worker.checkin({ hold: 0 });
    const own = await connect('/ws/worker/node7(4242)');
    const impostor = await connect('/worker/node7(4242)');
    const other = await connect('/worker/other');
    own.socket.send('a');
    const uuids = [await createBundle(server), await createBundle(server)];
    for (const uuid of uuids) await untilState(server, uuid, ['starting']);
    await until(
      async () => (own.heard.length > 0 && impostor.heard.length > 0 ? true : undefined),
      'all are told',
    );
    expect(own.heard).toEqual(['node7(4242)']);
    // Told to come, it is not held: what there is comes at once.
    const messages = await worker.checkin({ hold: 5 });
    expect(messages.map((message) => message?.['type'])).toEqual(['run', 'run']);
    for (const message of messages) {
      const { uuid } = message!['bundle'] as { uuid: string };
      expect(await worker.start(uuid)).toBe(true);
    }
    expect(await worker.checkin({ runs: [] })).toEqual([null]);
    await createBundle(server);
    await until(async () => (own.heard.length === 2 ? true : undefined), 'it is told again');
    expect(other.heard).toEqual([]);
    for (const { socket } of [own, impostor, other]) socket.terminate();
    await until(
      async () => (server.execution.wakeUps.isConnected('node7(4242)') ? undefined : true),
      'all are gone',
    );
  });

  it('lets a worker come sooner while its runs are between stages', async () => {
    const worker = await originalWorker(server, { id: 'hasty' });
    const { socket, heard } = await connect('/worker/hasty');
    await worker.checkin({ tag: 'hasty', tag_exclusive: true });
    const uuid = await createBundle(server, { metadata: { request_queue: 'hasty' } });
    await until(async () => (heard.length === 1 ? true : undefined), 'it is told of the run');
    await worker.checkin({ tag: 'hasty', tag_exclusive: true });
    expect(await worker.start(uuid)).toBe(true);
    await worker.checkin({ tag: 'hasty', tag_exclusive: true, runs: [reportOf(uuid, 'preparing')] });
    await until(async () => (heard.length === 2 ? true : undefined), 'it is told to report');
    socket.terminate();
  });

  it('refuses what names no worker, and too many of one id', async () => {
    const refused = new WebSocket(`${server.url.replace('http', 'ws')}/ws/main`);
    const [error] = (await once(refused, 'error')) as [Error];
    expect(error.message).toContain('404');
    const crowd = [];
    for (let index = 0; index < 16; index += 1) crowd.push(await connect('/worker/crowded'));
    const late = new WebSocket(`${server.url.replace('http', 'ws')}/worker/crowded`);
    expect(((await once(late, 'error')) as [Error])[0].message).toContain('404');
    for (const { socket } of crowd) socket.terminate();
  });

  it('closes a connection that talks too much', async () => {
    const { socket } = await connect('/worker/chatty');
    const closed = once(socket, 'close');
    for (let index = 0; index < 100; index += 1) socket.send('a');
    expect((await closed)[0]).toBe(1008);
  });
});
