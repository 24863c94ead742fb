import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { originalWorker, type OriginalWorker } from './testing/original-worker.ts';
import { createBundle, untilState, viewBundle } from './testing/bundles.ts';
import { reportOf } from './testing/scripted-worker.ts';

/** What an original worker reports has these keys and no others. */
function report(
  uuid: string,
  state: 'preparing' | 'running' | 'finalizing' | 'ready' | 'staged',
  more: object = {},
) {
  return {
    ...reportOf(uuid, state),
    remote: 'node7(4242)',
    bundle_profile_stats: {
      'RUN_STAGE.PREPARING': { start: 1, end: 2, elapsed: 1 },
      'RUN_STAGE.RUNNING': { start: 2, end: null, elapsed: 2.5 },
      'RUN_STAGE.CLEANING_UP': { start: null, end: null, elapsed: 0.5 },
      'RUN_STAGE.UPLOADING_RESULTS': { start: null, end: null, elapsed: 0.25 },
    },
    ...more,
  };
}

function resultArchive(): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'sheaf-results-'));
  try {
    writeFileSync(join(directory, 'stdout'), 'hello\n');
    writeFileSync(join(directory, 'stderr'), '');
    return execFileSync('tar', ['-czf', '-', '-C', directory, '.']);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe.each(databases)('an original worker (%s)', (database) => {
  let server: TestServer;
  let worker: OriginalWorker;
  beforeAll(async () => {
    server = await startTestServer({ database });
    worker = await originalWorker(server);
  });
  afterAll(async () => {
    await server.close();
  });

  const begin = async () => {
    const uuid = await createBundle(server, { command: 'echo hello' });
    await untilState(server, uuid, ['starting', 'staged']);
    for (;;) {
      const run = (await worker.checkin()).find((message) => message?.['type'] === 'run');
      if (run !== undefined && run !== null) {
        expect((run['bundle'] as { uuid: string }).uuid).toBe(uuid);
        return { uuid, run };
      }
    }
  };

  it('executes a run from the message to the final state', async () => {
    await worker.checkin({ hold: 0 });
    const { uuid, run } = await begin();
    expect(run).not.toHaveProperty('message_id');
    const resources = run['resources'] as Record<string, unknown>;
    expect(Object.keys(resources)).toEqual(
      expect.arrayContaining([
        'cpus',
        'gpus',
        'docker_image',
        'time',
        'memory',
        'disk',
        'network',
        'tag',
        'tag_exclusive',
        'runs_left',
      ]),
    );
    expect(resources).toMatchObject({ runs_left: null, tag_exclusive: false, tag: '' });
    const bundle = run['bundle'] as { metadata: Record<string, unknown> };
    expect(bundle.metadata).toMatchObject({ exclude_patterns: [], store: '' });

    expect(await worker.start(uuid)).toBe(true);
    // The same question again, as after a lost answer, changes nothing.
    expect(await worker.start(uuid)).toBe(true);
    expect((await viewBundle(server, uuid)).metadata['remote_history']).toEqual(['node7']);
    expect(await worker.checkin({ runs: [report(uuid, 'preparing')], hold: 0 })).toEqual([null]);
    const running = report(uuid, 'running', { container_time_total: 2 });
    expect(await worker.checkin({ runs: [running] })).toEqual([null]);

    const uploaded = await worker.upload(uuid, resultArchive(), { strayNul: true });
    expect(uploaded.status).toBe(200);
    expect(uploaded.body.length).toBe(0);
    const answer = await worker.checkin({ runs: [report(uuid, 'finalizing', { exitcode: 0 })] });
    expect(answer).toContainEqual({ type: 'mark_finalized', uuid });
    expect(await viewBundle(server, uuid)).toMatchObject({
      state: 'ready',
      metadata: {
        data_size: 6,
        time_preparing: 1,
        time_running: 2.5,
        time_cleaning_up: 0.5,
        time_uploading_results: 0.25,
      },
    });
    expect(await worker.checkin({ runs: [report(uuid, 'ready')] })).toEqual([null]);
    const stdout = await server.fetch(`/rest/bundles/${uuid}/contents/blob/stdout`, { as: 'root' });
    expect(await stdout.text()).toBe('hello\n');
  });

  it('gets a run again that it never asked to start, and only then', async () => {
    const { uuid } = await begin();
    // The answer was lost: the next check-in does not mention the run, and nobody asked to start it.
    const again = await begin2(uuid);
    expect(again).toBe(uuid);
    expect(await worker.start(uuid)).toBe(true);
    expect(await worker.checkin({ runs: [report(uuid, 'preparing')] })).toEqual([null]);
    await worker.checkin({ runs: [report(uuid, 'finalizing', { exitcode: 3 })] });
    expect(await viewBundle(server, uuid)).toMatchObject({
      state: 'failed',
      metadata: { failure_message: 'Exit code 3', exitcode: 3 },
    });
    await worker.checkin({ runs: [], hold: 0 });
  });

  const begin2 = async (uuid: string) => {
    const deadline = Date.now() + 10_000;
    while (Date.now() < deadline) {
      for (const message of await worker.checkin()) {
        if (message?.['type'] === 'run') return (message['bundle'] as { uuid: string }).uuid;
      }
    }
    throw new Error(`${uuid} did not come again`);
  };

  it('is told about nothing but the runs it reports', async () => {
    const { uuid } = await begin();
    expect(await worker.start(uuid)).toBe(true);
    await worker.checkin({ runs: [report(uuid, 'running')] });
    const actions = { data: [{ type: 'bundle-actions', attributes: { type: 'kill', uuid } }] };
    const killed = await server.fetch('/rest/bundle-actions', { as: 'root', method: 'POST', json: actions });
    expect(killed.status, await killed.text()).toBe(200);
    expect(await worker.checkin({ runs: [], hold: 0 })).toEqual([null]);
    expect(await worker.checkin({ runs: [report(uuid, 'running')] })).toContainEqual({ type: 'kill', uuid });
    const final = report(uuid, 'finalizing', { failure_message: 'Kill requested' });
    expect(await worker.checkin({ runs: [final] })).toContainEqual({ type: 'mark_finalized', uuid });
    expect(await viewBundle(server, uuid)).toMatchObject({
      state: 'killed',
      metadata: { actions: ['kill'] },
    });
  });

  it('never gets an error for a run that is not its own', async () => {
    expect(await worker.start(`0x${'ab'.repeat(16)}`)).toBe(false);
    const unknown = report(`0x${'cd'.repeat(16)}`, 'running');
    expect(await worker.checkin({ runs: [unknown] })).toEqual([{ type: 'kill', uuid: unknown.uuid }]);
    const gone = report(unknown.uuid, 'finalizing');
    expect(await worker.checkin({ runs: [gone] })).toEqual([{ type: 'mark_finalized', uuid: unknown.uuid }]);
    expect(await worker.checkin({ runs: [{ uuid: 5 }, 'nonsense'], dependencies: {} })).toEqual([null]);
  });

  it('has its results refused with 403 when it holds no such run, after the whole body', async () => {
    const uuid = await createBundle(server, { metadata: { request_queue: 'nobody' } });
    await untilState(server, uuid, ['staged']);
    const answer = await worker.upload(uuid, Buffer.alloc(300_000, 1));
    expect(answer.status).toBe(403);
    expect(answer.headers['content-type']).toMatch(/^text\/plain/);
  });

  it('serves reads of a running run: listing, whole file, section and directory', async () => {
    const { uuid } = await begin();
    expect(await worker.start(uuid)).toBe(true);
    await worker.checkin({ runs: [report(uuid, 'running')] });
    const question = async (): Promise<Record<string, unknown>> => {
      const deadline = Date.now() + 10_000;
      while (Date.now() < deadline) {
        for (const message of await worker.checkin({ runs: [report(uuid, 'running')] })) {
          if (message?.['type'] === 'read') return message;
        }
      }
      throw new Error('No question came.');
    };
    const info = { name: 'stdout', type: 'file', size: 6, perm: 420 };

    const asked = server.fetch(`/rest/bundles/${uuid}/contents/info/stdout?depth=1`, { as: 'root' });
    let message = await question();
    expect(message).toMatchObject({ path: 'stdout', read_args: { type: 'get_target_info', depth: 1 } });
    const socket = message['socket_id'] as number;
    expect((await worker.reply(socket, { target_info: info })).status).toBe(200);
    expect((await worker.reply(socket, { error_code: 500, error_message: 'again' })).status).toBe(200);
    expect(((await (await asked).json()) as { data: object }).data).toMatchObject(info);

    const whole = server.fetch(`/rest/bundles/${uuid}/contents/blob/stdout`, { as: 'root' });
    message = await question();
    await worker.reply(message['socket_id'] as number, { target_info: info });
    message = await question();
    expect(message).toMatchObject({ read_args: { type: 'stream_file' } });
    expect((await worker.replyStream(message['socket_id'] as number, Buffer.from('hello\n'))).status).toBe(
      200,
    );
    expect(await (await whole).text()).toBe('hello\n');

    const part = server.fetch(`/rest/bundles/${uuid}/contents/blob/stdout`, {
      as: 'root',
      headers: { range: 'bytes=1-3', 'accept-encoding': 'identity' },
    });
    message = await question();
    await worker.reply(message['socket_id'] as number, { target_info: info });
    message = await question();
    expect(message).toMatchObject({ read_args: { type: 'read_file_section', offset: 1, length: 3 } });
    expect((await worker.replySmall(message['socket_id'] as number, 'ell')).status).toBe(200);
    const answer = await part;
    expect(answer.headers.get('content-length')).toBe('3');
    expect(await answer.text()).toBe('ell');

    const archive = server.fetch(`/rest/bundles/${uuid}/contents/blob/`, { as: 'root' });
    message = await question();
    await worker.reply(message['socket_id'] as number, { target_info: { ...info, type: 'directory' } });
    message = await question();
    expect(message).toMatchObject({ path: '', read_args: { type: 'stream_directory' } });
    await worker.replyStream(message['socket_id'] as number, Buffer.from('pretend it is a tar'));
    const bytes = Buffer.from(await (await archive).arrayBuffer());
    expect(gunzipSync(bytes).toString()).toBe('pretend it is a tar');

    const foreign = await originalWorker(server, { id: 'other', owner: 'mallory' });
    expect((await foreign.reply(message['socket_id'] as number, {})).status).toBe(403);
    await worker.checkin({ runs: [report(uuid, 'finalizing', { exitcode: 0 })] });
    await untilState(server, uuid, ['ready']);
  });

  it('reads contents with bare percent signs, empty paths and slashes at the end', async () => {
    const uuid = await createBundle(server, { type: 'dataset', query: 'wait_for_upload=1' });
    await server.fetch(`/rest/bundles/${uuid}/contents/blob/?filename=a&unpack=0`, {
      as: 'root',
      method: 'PUT',
      body: 'x',
    });
    expect((await worker.get(`/rest/bundles/${uuid}/contents/info/`)).status).toBe(200);
    const odd = await worker.get(`/rest/bundles/${uuid}/contents/info/50%zz/`);
    expect(odd.status).toBe(404);
    expect(odd.body.toString()).toContain('not a directory');
  });
});
