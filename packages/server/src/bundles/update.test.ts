import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBundle, viewBundle } from '../runs/testing/bundles.ts';
import { allowOn, ask, makeGroup, setBundle, succeed } from '../testing/records.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';

describe.each(databases)('changing bundles on %s', (database) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ database });
  });
  afterAll(() => server.close());

  const patch = (entries: Record<string, unknown>[], as = 'maria') =>
    ask(server, '/rest/bundles', {
      as,
      method: 'PATCH',
      json: { data: entries.map((one) => ({ type: 'bundles', ...one })) },
    });
  const make = (more: Parameters<typeof createBundle>[1] = {}) =>
    createBundle(server, { as: 'maria', type: 'dataset', ...more });
  const metadataOf = async (uuid: string) => (await viewBundle(server, uuid)).metadata;

  it('merges metadata; null removes', async () => {
    const uuid = await make({ type: 'run', metadata: { description: 'old', request_priority: 5 } });

    const { data } = await patch([
      {
        id: uuid,
        attributes: {
          bundle_type: 'run',
          state: 'ready',
          metadata: { tags: ['a'], request_priority: null, name: 'renamed' },
        },
      },
    ]);

    expect(data[0]?.attributes).toMatchObject({ state: expect.not.stringMatching('ready') as string });
    expect(await metadataOf(uuid)).toMatchObject({
      name: 'renamed',
      description: 'old',
      tags: ['a'],
      request_priority: 0,
    });
    expect(
      (await ask(server, '/rest/bundles?keywords=name%3Drenamed', { as: 'maria' })).data.map(({ id }) => id),
    ).toEqual([uuid]);
  });

  it('pairs changes with bundles by uuid, whatever their order', async () => {
    const uuids = [await make(), await make(), await make()];
    const shuffled = [2, 0, 1].map((index) => ({
      id: uuids[index]!,
      attributes: { metadata: { description: `is ${index}` } },
    }));

    const { data } = await patch(shuffled);

    expect(data.map((bundle) => bundle.id)).toEqual(shuffled.map((entry) => entry.id));
    for (const [index, uuid] of uuids.entries())
      expect(await metadataOf(uuid)).toMatchObject({ description: `is ${index}` });
  });

  it('reads text by the type of the key, as the command line sends it', async () => {
    const uuid = await make({ type: 'run' });

    await patch([
      {
        id: uuid,
        attributes: { metadata: { request_cpus: '4', request_network: 'false', request_memory: '10m' } },
      },
    ]);

    expect(await metadataOf(uuid)).toMatchObject({
      request_cpus: 4,
      request_network: false,
      request_memory: '10m',
    });
  });

  it.each([
    [{ color: 'red' }],
    [{ request_cpus: 'many' }],
    [{ request_memory: 'much' }],
    [{ tags: 'red' }],
    [{ name: '' }],
    [{ name: null }],
    [{ description: 'é' }],
    [{ tags: ['é'] }],
    [{ exitcode: 0 }],
    [{ created: 1 }],
  ])('refuses %j for all of the request', async (metadata) => {
    const [first, second] = [await make({ type: 'run' }), await make({ type: 'run' })];

    const answer = await patch([
      { id: first, attributes: { metadata: { description: 'changed' } } },
      { id: second, attributes: { metadata } },
    ]);

    expect(answer.status, answer.text).toBe(400);
    expect(await metadataOf(first)).toMatchObject({ description: '' });
  });

  it('lets root correct what the system wrote, and anybody send it back unchanged', async () => {
    const uuid = await make();
    const created = (await metadataOf(uuid))['created'];

    expect(
      (await patch([{ id: uuid, attributes: { metadata: { created, description: 'x' } } }])).status,
    ).toBe(200);
    expect(
      (await patch([{ id: uuid, attributes: { metadata: { failure_message: 'y' } } }], 'root')).status,
    ).toBe(200);
    expect(await metadataOf(uuid)).toMatchObject({ failure_message: 'y', description: 'x' });
  });

  it('asks for everything on every bundle', async () => {
    const [mine, theirs] = [await make(), await make({ as: 'jose' })];
    const group = await makeGroup(server, 'jose', `readers_${database}`, ['maria']);
    await allowOn(server, 'bundle', 'jose', theirs, group, 1);
    const entries = [mine, theirs].map((id) => ({ id, attributes: { metadata: { description: 'x' } } }));

    const refused = await patch(entries);
    const anonymous = await ask(server, '/rest/bundles', { method: 'PATCH', json: { data: entries } });
    const unknown = await patch([{ id: `0x${'0'.repeat(32)}`, attributes: {} }]);

    expect(refused.status).toBe(403);
    expect(refused.text).toMatch(
      new RegExp(
        `User maria\\(.+\\) does not have sufficient permissions on bundle ${theirs} \\(have read, need all\\)`,
      ),
    );
    expect(anonymous.status).toBe(401);
    expect(unknown.status).toBe(404);
    expect((await patch([{ attributes: {} }])).status).toBe(400);
  });

  it('freezes finished bundles, which then stay as they are until they are thawed', async () => {
    const uuid = await make();
    const freeze = { frozen: '2031-01-01T00:00:00+00:00' };
    expect((await patch([{ id: uuid, attributes: freeze }])).status).toBe(403);
    await setBundle(server, uuid, { state: 'ready' });

    const frozen = await patch([
      { id: uuid, attributes: { ...freeze, metadata: { description: 'at last' } } },
    ]);

    expect(frozen.data[0]?.attributes['frozen']).toBe('2031-01-01T00:00:00+00:00');
    expect((await patch([{ id: uuid, attributes: freeze }])).status).toBe(403);
    expect((await patch([{ id: uuid, attributes: { metadata: { description: 'x' } } }])).status).toBe(403);
    expect((await patch([{ id: uuid, attributes: { frozen: 'x' } }])).status).toBe(403);
    const publicGroup = (await succeed(server, '/rest/groups/public', { as: 'maria' })).data[0]!.id;
    expect((await allowOn(server, 'bundle', 'maria', uuid, publicGroup, 1)).status).toBe(403);
    expect(
      (
        await ask(server, '/rest/bundles', {
          as: 'maria',
          method: 'DELETE',
          json: { data: [{ type: 'bundles', id: uuid }] },
        })
      ).status,
    ).toBe(403);
    const thawed = await patch([
      { id: uuid, attributes: { frozen: null, metadata: { description: 'again' } } },
    ]);
    expect(thawed.data[0]?.attributes).toMatchObject({ frozen: null, metadata: { description: 'again' } });
    expect((await patch([{ id: uuid, attributes: { frozen: 'x' } }])).status).toBe(400);
  });

  it('changes the owner, who takes over the size', async () => {
    const uuid = await make();
    await setBundle(server, uuid, { state: 'ready', size: 1000 });
    const { id } = await server.createUser({ name: 'heir' });
    const give = (to: string) =>
      patch([{ id: uuid, relationships: { owner: { data: { type: 'users', id: to } } } }]);
    const usedBy = async (as: string) =>
      (await succeed(server, '/rest/user', { as })).data[0]?.attributes['disk_used'];

    expect((await give('0xnobody')).status).toBe(404);
    const given = await give(id);

    expect(given.status).toBe(200);
    expect(await usedBy('heir')).toBe(1000);
    expect(await usedBy('maria')).toBe(0);
    expect((await patch([{ id: uuid, attributes: { metadata: { description: 'x' } } }])).status).toBe(403);
  });

  it('hides the owner and what tells of him from those who do not have everything', async () => {
    const uuid = await make({ type: 'run', metadata: { request_queue: 'tag=marias-machine' } });
    const publicGroup = (await succeed(server, '/rest/groups/public', { as: 'maria' })).data[0]!.id;
    await allowOn(server, 'bundle', 'maria', uuid, publicGroup, 1);
    await patch([{ id: uuid, attributes: { is_anonymous: true } }]);

    const [own] = (await succeed(server, `/rest/bundles/${uuid}`, { as: 'maria' })).data;
    const [seen] = (
      await succeed(server, `/rest/bundles/${uuid}?include=owner,group_permissions`, { as: 'jose' })
    ).data;

    expect(own?.relationships?.['owner']?.data).not.toBeNull();
    expect(seen?.relationships).toMatchObject({ owner: { data: null }, group_permissions: { data: [] } });
    expect(JSON.stringify(seen)).not.toContain('marias-machine');
  });

  it('sets and removes permissions, all or none', async () => {
    const [first, second] = [await make(), await make({ as: 'jose' })];
    const group = await makeGroup(server, 'maria', `team_${database}`, ['ana']);
    const entry = (uuid: string, attributes: unknown, groupUuid = group) => ({
      type: 'bundle-permissions',
      attributes,
      relationships: {
        bundle: { data: { type: 'bundles', id: uuid } },
        group: { data: { type: 'groups', id: groupUuid } },
      },
    });
    const set = (data: unknown[]) =>
      ask(server, '/rest/bundle-permissions', { as: 'maria', method: 'POST', json: { data } });
    const held = async () =>
      (await succeed(server, `/rest/bundles/${first}`, { as: 'ana' })).data[0]?.attributes['permission'];

    expect((await set([entry(first, { permission: 1 }), entry(second, { permission: 1 })])).status).toBe(403);
    expect(await held()).toBeUndefined();
    const answer = await set([entry(first, { permission_spec: 'r' })]);
    expect(answer.data[0]).toMatchObject({
      id: expect.any(String) as string,
      attributes: { permission: 1, permission_spec: 'read' },
    });
    expect(answer.data[0]?.relationships).toEqual({ group: { data: { type: 'groups', id: group } } });
    expect(await held()).toBe(1);
    await set([entry(first, { permission: 2 })]);
    expect(await held()).toBe(2);
    await set([entry(first, { permission: 0 })]);
    expect(await held()).toBeUndefined();
    expect((await set([entry(first, { permission: 3 })])).status).toBe(400);
    expect((await set([entry(first, {})])).status).toBe(400);
    expect((await set([entry(first, { permission: 1 }, '0xnone')])).status).toBe(404);
  });
});
