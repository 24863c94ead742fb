import { once } from 'node:events';
import { request as requestHttp, type ClientRequest, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { originalWorker } from '../runs/testing/original-worker.ts';
import { createBundle, putContents, until, untilState, uploadFile } from '../runs/testing/bundles.ts';
import { reportOf, scriptedWorker } from '../runs/testing/scripted-worker.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';

interface Reader {
  status: number | undefined;
  /** What has come so far. */
  text(): string;
  ended: Promise<'end' | 'broken'>;
  leave(): void;
}

describe.each(databases)('following a file (%s)', (database) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ database });
  });
  afterAll(async () => {
    await server.close();
  });

  const open = async (uuid: string, path: string, as = 'root'): Promise<Reader> => {
    const sending = requestHttp(`${server.url}/rest/bundles/${uuid}/contents/follow/${path}`, {
      headers: { authorization: `Bearer ${await server.tokenFor(as)}`, 'x-requested-with': 'XMLHttpRequest' },
    });
    sending.end();
    const [response] = (await once(sending, 'response')) as [IncomingMessage];
    const pieces: Buffer[] = [];
    response.on('data', (piece: Buffer) => pieces.push(piece));
    const ended = new Promise<'end' | 'broken'>((resolve) => {
      response.once('end', () => resolve('end'));
      response.once('error', () => resolve('broken'));
    });
    return {
      status: response.statusCode,
      text: () => Buffer.concat(pieces).toString(),
      ended,
      leave: () => sending.destroy(),
    };
  };
  const reads = (reader: Reader, text: string) =>
    until(async () => (reader.text() === text ? true : undefined), `the reader has ${JSON.stringify(text)}`);

  /** Sends the bytes of an answer piece by piece. */
  const streamReply = async (worker: string, socketId: number): Promise<ClientRequest> => {
    const path = `/rest/workers/${encodeURIComponent(worker)}/reply_data/${socketId}?header_message=%7B%7D`;
    const sending = requestHttp(`${server.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await server.tokenFor('root')}`, 'transfer-encoding': 'chunked' },
    });
    sending.on('error', () => undefined);
    return sending;
  };

  const startRun = async (id: string) => {
    const worker = scriptedWorker(server, { id, tag: id, tag_exclusive: true });
    await worker.checkin({ hold: 0 });
    const waiting = worker.next('run');
    const uuid = await createBundle(server, { metadata: { request_queue: id } });
    const { epoch = 0 } = await waiting;
    return { worker, uuid, epoch, runs: [reportOf(uuid, 'running', { epoch })] };
  };

  it('passes bytes on as the worker sends them, and takes the rest from the store', async () => {
    const { worker, uuid, epoch, runs } = await startRun('follow-1');
    const reader = await open(uuid, 'stdout');
    expect(reader.status).toBe(200);
    await worker.start(uuid, epoch);
    await worker.report(runs);
    const question = await worker.next('read', { runs });
    expect(question).toMatchObject({ path: 'stdout', read_args: { type: 'follow_file', offset: 0 } });
    const stream = await streamReply(worker.id, question.socket_id);
    stream.write('first ');
    await reads(reader, 'first ');
    stream.write('second ');
    await reads(reader, 'first second ');
    // The connection to the worker breaks: it is asked again from where the reader is.
    stream.destroy();
    const again = await worker.next('read', { runs });
    expect(again.read_args).toEqual({ type: 'follow_file', offset: 13 });
    const rest = await streamReply(worker.id, again.socket_id);
    rest.end('third ');
    await reads(reader, 'first second third ');
    const upload = await putContents(server, uuid, 'first second third last', {
      query: 'filename=stdout&unpack=0&finalize_on_success=0',
      headers: { 'x-sheaf-epoch': String(epoch) },
    });
    expect(upload.status, await upload.text()).toBe(200);
    await server.services.database.queries
      .updateTable('bundle')
      .set({ root_entry: await wrapInTree(server, uuid) })
      .where('uuid', '=', uuid)
      .execute();
    await worker.report([reportOf(uuid, 'finalizing', { epoch, exitcode: 0 })]);
    expect(await reader.ended).toBe('end');
    expect(reader.text()).toBe('first second third last');
  });

  it('asks original workers for sections, and loses nothing at the end', async () => {
    const worker = await originalWorker(server, { id: 'old(1)' });
    await worker.checkin({ tag: 'old', tag_exclusive: true, hold: 0 });
    const uuid = await createBundle(server, { metadata: { request_queue: 'old' } });
    await untilState(server, uuid, ['starting']);
    await worker.checkin({ tag: 'old', tag_exclusive: true });
    await worker.start(uuid);
    const runs = [reportOf(uuid, 'running')];
    await worker.checkin({ tag: 'old', tag_exclusive: true, runs, hold: 0 });
    const reader = await open(uuid, 'log');
    let content = '';
    let asked = 0;
    /** Serves questions as an original worker would until the file was read up to its end. */
    const serve = async (until: () => boolean) => {
      const deadline = Date.now() + 10_000;
      while (!until() && Date.now() < deadline) {
        for (const message of await worker.checkin({ tag: 'old', tag_exclusive: true, runs })) {
          if (message?.['type'] !== 'read') continue;
          asked += 1;
          const socket = message['socket_id'] as number;
          const request = message['read_args'] as { type: string; offset: number; length: number };
          const info = { name: 'log', type: 'file', size: content.length, perm: 420 };
          if (request.type === 'get_target_info') await worker.reply(socket, { target_info: info });
          else
            await worker.replySmall(socket, content.slice(request.offset, request.offset + request.length));
        }
      }
    };
    content = 'one ';
    await serve(() => reader.text() === 'one ');
    content = 'one two ';
    await serve(() => reader.text() === 'one two ');
    expect(reader.text()).toBe('one two ');
    expect(asked).toBeGreaterThan(2);
    reader.leave();
  });

  it('sends a final file from the offset on, and the file of a dependency', async () => {
    const uuid = await uploadFile(server, '0123456789');
    const reader = await open(uuid, '?offset=4');
    expect(await reader.ended).toBe('end');
    expect(reader.text()).toBe('456789');
    const beyond = await open(uuid, '?offset=40');
    expect(await beyond.ended).toBe('end');
    expect(beyond.text()).toBe('');
    const run = await createBundle(server, {
      metadata: { request_queue: 'nobody' },
      dependencies: [{ child_path: 'data', parent_uuid: uuid }],
    });
    const input = await open(run, 'data');
    expect(await input.ended).toBe('end');
    expect(input.text()).toBe('0123456789');
  });

  it('refuses what is not there, not a file, or not for the reader', async () => {
    const uuid = await uploadFile(server, 'x', { as: 'alice' });
    expect((await open(uuid, 'missing', 'alice')).status).toBe(404);
    expect((await open(uuid, '', 'mallory')).status).toBe(403);
    expect((await open(uuid, '?offset=-1', 'alice')).status).toBe(400);
    const directory = await createBundle(server, { type: 'make', dependencies: [] });
    await untilState(server, directory, ['ready']);
    expect((await open(directory, '')).status).toBe(400);
  });

  it('ends with the run, also when nothing was written', async () => {
    const { uuid, worker, epoch } = await startRun('follow-2');
    const reader = await open(uuid, 'stdout');
    const actions = { data: [{ type: 'bundle-actions', attributes: { type: 'kill', uuid } }] };
    await (await server.fetch('/rest/bundle-actions', { as: 'root', method: 'POST', json: actions })).text();
    expect(await reader.ended).toBe('end');
    expect(reader.text()).toBe('');
    expect(await worker.start(uuid, epoch)).toBe(false);
  });

  it('lets go of the worker when the reader leaves', async () => {
    const { worker, uuid, epoch, runs } = await startRun('follow-3');
    await worker.start(uuid, epoch);
    await worker.report(runs);
    const reader = await open(uuid, 'stdout');
    const question = await worker.next('read', { runs });
    const stream = await streamReply(worker.id, question.socket_id);
    stream.write('x');
    await reads(reader, 'x');
    const closed = new Promise((resolve) => stream.once('close', resolve));
    reader.leave();
    await closed;
  });
});

/** The root of a bundle that holds one file, as a tree with that file in it, named stdout. */
async function wrapInTree(server: TestServer, uuid: string): Promise<string> {
  const { encodeTree, totalsOf } = await import('@sheaf/trees');
  const row = await server.services.database.queries
    .selectFrom('bundle')
    .select('root_entry')
    .where('uuid', '=', uuid)
    .executeTakeFirstOrThrow();
  const entries = [{ name: 'stdout', entry: JSON.parse(row.root_entry!) as never }];
  const digest = await server.services.store.put(encodeTree(entries));
  return JSON.stringify({ kind: 'tree', digest, ...totalsOf(entries) });
}
