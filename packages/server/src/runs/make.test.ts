import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { createBundle, diskUsed, untilState, uploadFile } from './testing/bundles.ts';

describe.each(databases)('make bundles (%s)', (database) => {
  let server: TestServer;
  let file: string;
  let other: string;
  beforeAll(async () => {
    server = await startTestServer({ database });
    file = await uploadFile(server, 'one');
    other = await uploadFile(server, 'other');
  });
  afterAll(async () => {
    await server.close();
  });

  const make = (
    dependencies: { child_path: string; parent_uuid: string; parent_path?: string }[],
    as = 'root',
  ) => createBundle(server, { as, type: 'make', dependencies });
  const read = async (uuid: string, path = '') => {
    const response = await server.fetch(`/rest/bundles/${uuid}/contents/blob/${path}`, { as: 'root' });
    return await response.text();
  };

  it('puts parts under their keys, nested ones too', async () => {
    const uuid = await make([
      { child_path: 'a', parent_uuid: file },
      { child_path: 'deep/down/b', parent_uuid: other },
      { child_path: 'deep/c', parent_uuid: file },
    ]);
    expect(await untilState(server, uuid, ['ready'])).toMatchObject({ metadata: { data_size: 11 } });
    expect(await read(uuid, 'a')).toBe('one');
    expect(await read(uuid, 'deep/down/b')).toBe('other');
    expect(await read(uuid, 'deep/c')).toBe('one');
    const nested = await make([{ child_path: 'n', parent_uuid: uuid, parent_path: 'deep/down' }]);
    await untilState(server, nested, ['ready']);
    expect(await read(nested, 'n/b')).toBe('other');
  });

  it('becomes its only part where that has no key', async () => {
    const uuid = await make([{ child_path: '', parent_uuid: file }]);
    await untilState(server, uuid, ['ready']);
    expect(await read(uuid)).toBe('one');
  });

  it('is an empty directory without parts', async () => {
    const uuid = await make([]);
    expect(await untilState(server, uuid, ['ready'])).toMatchObject({ metadata: { data_size: 0 } });
  });

  it('fails over parts that are not there', async () => {
    const before = await diskUsed(server, 'root');
    const uuid = await make([{ child_path: 'x', parent_uuid: file, parent_path: 'missing' }]);
    const failed = await untilState(server, uuid, ['failed']);
    expect(failed.metadata['failure_message']).toMatch(/^Invalid dependency /);
    const killed = await createBundle(server, { metadata: { request_queue: 'nobody' } });
    await untilState(server, killed, ['staged']);
    const actions = { data: [{ type: 'bundle-actions', attributes: { type: 'kill', uuid: killed } }] };
    await (await server.fetch('/rest/bundle-actions', { as: 'root', method: 'POST', json: actions })).text();
    const hollow = await createBundle(server, {
      type: 'make',
      metadata: { allow_failed_dependencies: true },
      dependencies: [{ child_path: 'x', parent_uuid: killed }],
    });
    expect((await untilState(server, hollow, ['failed'])).metadata['failure_message']).toContain(
      'has no contents',
    );
    expect(await diskUsed(server, 'root')).toBe(before);
  });

  it('counts against the quota before it is kept', async () => {
    const big = await uploadFile(server, 'x'.repeat(60), { as: 'max' });
    await server.services.database.queries
      .updateTable('user')
      .set({ disk_quota: 100 })
      .where('name', '=', 'max')
      .execute();
    const uuid = await make([{ child_path: 'a', parent_uuid: big }], 'max');
    const failed = await untilState(server, uuid, ['failed'], 'max');
    expect(failed.metadata['failure_message']).toContain('disk quota exceeded');
    expect(await diskUsed(server, 'max')).toBe(60);
  });

  it('can be killed while it waits, noting nothing', async () => {
    const run = await createBundle(server, { metadata: { request_queue: 'nobody' } });
    const uuid = await make([{ child_path: 'a', parent_uuid: run }]);
    const actions = { data: [{ type: 'bundle-actions', attributes: { type: 'kill', uuid } }] };
    const answer = await server.fetch('/rest/bundle-actions', { as: 'root', method: 'POST', json: actions });
    expect(answer.status, await answer.text()).toBe(200);
    const killed = await untilState(server, uuid, ['killed']);
    expect(killed.metadata['actions'] ?? []).toEqual([]);
  });

  it('is made again after a stop in the middle', async () => {
    const before = server.services.settings;
    const uuid = await make([{ child_path: 'a', parent_uuid: file }]);
    await untilState(server, uuid, ['ready']);
    await server.services.database.queries
      .updateTable('bundle')
      .set({ state: 'making', root_entry: null })
      .where('uuid', '=', uuid)
      .execute();
    await server.close({ keepHome: true });
    server = await startTestServer({ database, reopen: before });
    await untilState(server, uuid, ['ready']);
    expect(await read(uuid, 'a')).toBe('one');
  });
});
