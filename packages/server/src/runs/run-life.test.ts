import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { createBundle, diskUsed, putContents, uploadFile, viewBundle } from './testing/bundles.ts';
import { reportOf, scriptedWorker } from './testing/scripted-worker.ts';

describe.each(databases)('the life of a run (%s)', (database) => {
  let server: TestServer;
  beforeEach(async () => {
    server = await startTestServer({ database });
  });
  afterEach(async () => {
    await server.close();
  });

  it('goes from creation to its results', async () => {
    const data = await uploadFile(server, 'one\ntwo\n', { as: 'alice' });
    const worker = scriptedWorker(server);
    expect(await worker.checkin({ hold: 0 })).toEqual([]);
    const waiting = worker.next('run');
    const uuid = await createBundle(server, {
      as: 'alice',
      command: 'cat data > out',
      dependencies: [{ child_path: 'data', parent_uuid: data }],
    });
    const message = await waiting;
    expect(message.bundle).toMatchObject({ uuid, command: 'cat data > out', bundle_type: 'run' });
    expect(message.bundle.dependencies[0]).toMatchObject({
      parent_uuid: data,
      child_path: 'data',
      entry: { kind: 'file', size: 8 },
    });
    expect(message.resources).toMatchObject({ cpus: 1, memory: 2 * 1024 ** 3, network: true });
    expect((await viewBundle(server, uuid, 'alice')).state).toBe('starting');

    expect(await worker.start(uuid, message.epoch)).toBe(true);
    expect(await viewBundle(server, uuid, 'alice')).toMatchObject({
      state: 'preparing',
      metadata: { remote: 'node7', remote_history: ['node7'], on_preemptible_worker: false },
    });
    const before = await diskUsed(server, 'alice');
    await worker.report([
      reportOf(uuid, 'running', { epoch: message.epoch, container_time_total: 3.5, disk_utilization: 1000 }),
    ]);
    expect(await viewBundle(server, uuid, 'alice')).toMatchObject({
      state: 'running',
      metadata: { time: 3.5, data_size: 1000 },
    });
    expect(await diskUsed(server, 'alice')).toBe(before + 1000);

    const upload = await putContents(server, uuid, gzipSync('result\n'), {
      query: 'filename=out.gz&finalize_on_success=0',
      headers: { 'x-sheaf-epoch': String(message.epoch) },
    });
    expect(upload.status, await upload.text()).toBe(200);
    expect((await viewBundle(server, uuid, 'alice')).state).toBe('running');
    const answer = await worker.report([
      reportOf(uuid, 'finalizing', { epoch: message.epoch, exitcode: 0, container_time_total: 4 }),
    ]);
    expect(answer).toContainEqual({ type: 'mark_finalized', uuid });
    expect(await viewBundle(server, uuid, 'alice')).toMatchObject({
      state: 'ready',
      metadata: { exitcode: 0, data_size: 7, run_status: 'Finished' },
    });
    expect(await diskUsed(server, 'alice')).toBe(before + 7);
    const out = await server.fetch(`/rest/bundles/${uuid}/contents/blob/`, { as: 'alice' });
    expect(await out.text()).toBe('result\n');
    const input = await server.fetch(`/rest/bundles/${uuid}/contents/blob/data`, { as: 'alice' });
    expect(await input.text()).toBe('one\ntwo\n');
  });
});
