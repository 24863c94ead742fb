import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';

interface Group {
  id: string;
  attributes: { name: string; user_defined: boolean };
  relationships: Record<string, { data: { id: string } | { id: string }[] | null }>;
}

describe.each(databases)('groups on %s', (database) => {
  let server: TestServer;
  const ids: Record<string, string> = {};
  beforeAll(async () => {
    server = await startTestServer({ database });
    for (const name of ['maria', 'jose', 'ana', 'pedro']) ids[name] = (await server.createUser({ name })).id;
  });
  afterAll(() => server.close());

  const create = (name: string, as = 'maria') =>
    server.fetch('/rest/groups', {
      as,
      method: 'POST',
      json: { data: [{ type: 'groups', attributes: { name } }] },
    });
  const fetchGroup = async (spec: string, as = 'maria') => {
    const response = await server.fetch(`/rest/groups/${spec}`, { as });
    const text = await response.text();
    return {
      status: response.status,
      text,
      group: (response.ok ? JSON.parse(text) : {}) as { data: Group; included: { id: string }[] },
    };
  };
  const change = (
    method: 'POST' | 'DELETE',
    spec: string,
    role: 'members' | 'admins',
    users: string[],
    as = 'maria',
  ) =>
    server.fetch(`/rest/groups/${spec}/relationships/${role}`, {
      as,
      method,
      json: { data: users.map((name) => ({ type: 'users', id: ids[name] ?? name })) },
    });
  const remove = (spec: string, as = 'maria') =>
    server.fetch('/rest/groups', { as, method: 'DELETE', json: { data: { type: 'groups', id: spec } } });

  it('makes groups with unique names, in any case', async () => {
    const response = await create('lab');
    const { data } = (await response.json()) as { data: Group[] };

    expect(data[0]).toMatchObject({
      attributes: { name: 'lab', user_defined: true },
      relationships: { owner: { data: { type: 'users', id: ids['maria'] } } },
    });
    const taken = await create('LAB', 'jose');
    expect(taken.status).toBe(409);
    expect(await taken.text()).toBe('Group with name LAB already exists');
    expect((await create('not a name')).status).toBe(400);
  });

  it('shows the public group like any other, to signed-in users', async () => {
    const { group } = await fetchGroup('public');

    expect(group.data.attributes).toEqual({ name: 'public', user_defined: false });
    expect(group.data.relationships).toMatchObject({
      owner: { data: null },
      admins: { data: [] },
      members: { data: [] },
    });
    expect((await server.fetch('/rest/groups/public')).status).toBe(401);
  });

  it('adds, promotes and removes people, all of whom are included', async () => {
    await create('team');
    expect((await change('POST', 'team', 'members', ['jose', 'ana'])).status).toBe(200);
    expect((await change('POST', 'team', 'admins', ['ana'])).status).toBe(200);

    const { group } = await fetchGroup('team', 'pedro');

    expect(group.data.relationships['owner']).toMatchObject({ data: { id: ids['maria'] } });
    expect(group.data.relationships['admins']).toMatchObject({ data: [{ id: ids['ana'] }] });
    expect(group.data.relationships['members']).toMatchObject({ data: [{ id: ids['jose'] }] });
    const included = new Set(group.included.map((user) => user.id));
    expect(included).toEqual(new Set([ids['maria'], ids['jose'], ids['ana']]));
    expect((await change('DELETE', 'team', 'members', ['jose', 'pedro'])).status).toBe(204);
    expect((await fetchGroup('team')).group.data.relationships['members']).toEqual({ data: [] });
  });

  it('lets owner, admins and root change a group, nobody else', async () => {
    await create('guarded');
    await change('POST', 'guarded', 'members', ['jose']);
    await change('POST', 'guarded', 'admins', ['ana']);

    expect((await change('POST', 'guarded', 'members', ['pedro'], 'jose')).status).toBe(403);
    expect((await change('POST', 'guarded', 'members', ['pedro'], 'pedro')).status).toBe(404);
    expect((await change('POST', 'guarded', 'members', ['pedro'], 'ana')).status).toBe(200);
    expect((await change('POST', 'guarded', 'members', ['maria'], 'ana')).status).toBe(400);
    expect((await change('POST', 'guarded', 'members', ['0xnobody'], 'root')).status).toBe(404);
    expect((await change('POST', 'public', 'members', ['pedro'], 'root')).status).toBe(403);
    expect((await remove('guarded', 'jose')).status).toBe(403);
    expect((await remove('public', 'root')).status).toBe(403);
    expect((await remove('guarded', 'root')).status).toBe(204);
    expect((await fetchGroup('guarded')).status).toBe(404);
  });

  it('resolves uuids, their beginnings and names', async () => {
    const { group } = await fetchGroup('lab');

    expect((await fetchGroup(group.data.id)).group.data.id).toBe(group.data.id);
    expect((await fetchGroup(group.data.id.slice(0, 20))).group.data.id).toBe(group.data.id);
    expect((await fetchGroup('LAB')).group.data.id).toBe(group.data.id);
    expect((await fetchGroup('a b')).status).toBe(400);
    expect((await fetchGroup('0xabcdef')).status).toBe(404);
    const twins = ['1', '2'].map((digit) => `0xabcdef${digit.repeat(26)}`);
    for (const [index, uuid] of twins.entries()) {
      const row = { uuid, name: `twin${index}`, owner_id: null, user_defined: 1 };
      await server.services.database.queries.insertInto('user_group').values(row).execute();
    }
    const several = await fetchGroup('0xabcdef');
    expect(several.status).toBe(400);
    for (const uuid of twins) expect(several.text).toContain(uuid);
  });

  it('lists public and one’s own groups; root all', async () => {
    await create('secret', 'jose');
    const names = async (as: string) => {
      const { data } = (await (await server.fetch('/rest/groups', { as })).json()) as { data: Group[] };
      return data.map((group) => group.attributes.name);
    };

    expect(await names('pedro')).toEqual(['public']);
    expect(await names('jose')).toEqual(['public', 'secret']);
    expect(await names('root')).toContain('secret');
  });

  it('stays readable when a member has gone', async () => {
    const { id } = await server.createUser({ name: 'leaving' });
    ids['leaving'] = id;
    await create('shrinking');
    await change('POST', 'shrinking', 'members', ['leaving', 'jose']);
    await server.fetch('/rest/users', {
      as: 'root',
      method: 'DELETE',
      json: { data: [{ type: 'users', id }] },
    });

    expect((await fetchGroup('shrinking')).group.data.relationships['members']).toMatchObject({
      data: [{ id: ids['jose'] }],
    });
  });
});
