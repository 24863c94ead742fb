import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WorkerInfo } from '@sheaf/wire';
import { createBundle } from '../runs/testing/bundles.ts';
import { scriptedWorker } from '../runs/testing/scripted-worker.ts';
import { makeGroup } from '../testing/records.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';

describe.each(databases)('what is shown of workers (%s)', (database) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ database });
  });
  afterAll(async () => {
    await server.close();
  });

  const infos = async (as: string) => {
    const response = await server.fetch('/rest/workers/info', { as });
    expect(response.headers.get('content-type')).toBe('application/json');
    return (await response.json()) as { data: WorkerInfo[]; meta: { version: string } };
  };
  const ids = async (as: string) => (await infos(as)).data.map((worker) => worker.worker_id);

  it('has every field, with what runs asked for as it was asked', async () => {
    const worker = scriptedWorker(server, {
      id: 'node7(4242)',
      cpus: 8,
      gpus: 2,
      tag: 'big',
      tag_exclusive: true,
      preemptible: true,
      slots: 5,
    });
    await worker.checkin({ hold: 0 });
    const runs: string[] = [];
    for (const request of [
      { request_cpus: 0, request_gpus: 0 },
      { request_cpus: 3, request_gpus: 1 },
    ]) {
      const next = worker.next('run');
      runs.push(await createBundle(server, { metadata: { ...request, request_queue: 'big' } }));
      await next;
    }
    const { data, meta } = await infos('root');
    expect(meta.version).toMatch(/\d/);
    expect(data).toEqual([
      {
        user_id: '0',
        worker_id: 'node7(4242)',
        group_uuid: null,
        tag: 'big',
        cpus: 8,
        gpus: 2,
        memory_bytes: 16 * 1024 ** 3,
        free_disk_bytes: 100 * 1024 ** 3,
        checkin_time: expect.any(Number) as number,
        socket_id: expect.any(Number) as number,
        run_uuids: runs,
        cpus_in_use: 3,
        gpus_in_use: 1,
        shared_file_system: false,
        tag_exclusive: true,
        is_terminating: false,
        preemptible: true,
        exit_after_num_runs: 999_999_999,
        runtime: { name: 'scripted', images: true, description: 'For tests.' },
        slots: 5,
      },
    ]);
    expect(Math.abs((data[0]?.checkin_time ?? 0) - Date.now() / 1000)).toBeLessThan(60);
  });

  it('is for the owner, and for current members of the group, and for root', async () => {
    const name = `lab_${database}`;
    await makeGroup(server, 'carol', name, ['dave']);
    await scriptedWorker(server, { id: 'shared', owner: 'carol', group_name: name }).checkin({ hold: 0 });
    await scriptedWorker(server, { id: 'private', owner: 'carol' }).checkin({ hold: 0 });
    expect(await ids('carol')).toEqual(['private', 'shared']);
    expect(await ids('dave')).toEqual(['shared']);
    expect(await ids('eve')).toEqual([]);
    expect(await ids('root')).toEqual(['node7(4242)', 'private', 'shared']);
    const eve = (await (await server.fetch('/rest/user', { as: 'eve' })).json()) as { data: { id: string } };
    const json = { data: [{ type: 'users', id: eve.data.id }] };
    const path = `/rest/groups/${name}/relationships/members`;
    expect((await server.fetch(path, { as: 'carol', method: 'POST', json })).status).toBe(200);
    expect(await ids('eve')).toEqual(['shared']);
    expect((await server.fetch(path, { as: 'carol', method: 'DELETE', json })).status).toBe(204);
    expect(await ids('eve')).toEqual([]);
    // A name that is no group of the owner shares with nobody; and no name any more takes the sharing back.
    await scriptedWorker(server, { id: 'shared', owner: 'carol' }).checkin({ hold: 0 });
    expect(await ids('dave')).toEqual([]);
  });

  it('asks who wants to know', async () => {
    expect((await server.fetch('/rest/workers/info')).status).toBe(401);
  });
});
