import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBundle, viewBundle } from '../runs/testing/bundles.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';

describe.each(databases)('users on %s', (database) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ database });
    await server.createUser({ name: 'maria', firstName: 'Maria', email: 'maria@example.org' });
    await server.createUser({ name: 'jose', lastName: 'Garcia_Lopez' });
    await server.tokenFor('maria');
  });
  afterAll(() => server.close());

  const json = async (path: string, as?: string) => {
    const response = await server.fetch(path, as === undefined ? {} : { as });
    const text = await response.text();
    return { status: response.status, body: (response.ok ? JSON.parse(text) : undefined) as Answer };
  };
  interface Answer {
    data: { id: string; attributes: Record<string, unknown> } & {
      id: string;
      attributes: Record<string, unknown>;
    }[];
    meta: { results?: unknown };
  }
  const patchSelf = (attributes: unknown, as = 'maria') =>
    server.fetch('/rest/user', { as, method: 'PATCH', json: { data: { type: 'users', attributes } } });
  const patchUser = (id: string, attributes: unknown, as = 'root') =>
    server.fetch('/rest/users', { as, method: 'PATCH', json: { data: [{ type: 'users', id, attributes }] } });
  const idOf = async (name: string) => (await json(`/rest/users/${name}`)).body.data.id;
  const names = (answer: Answer) => answer.data.map((user) => user.attributes['user_name']);
  const search = async (keywords: string[], as?: string) =>
    await json(`/rest/users?${keywords.map((word) => `keywords=${encodeURIComponent(word)}`).join('&')}`, as);

  it('shows people everything about themselves', async () => {
    const { body } = await json('/rest/user', 'maria');

    expect(body.data.attributes).toMatchObject({
      user_name: 'maria',
      first_name: 'Maria',
      last_name: null,
      email: 'maria@example.org',
      time_used: 0,
      disk_used: 0,
      disk_quota: 100 * 1024 ** 3,
      parallel_run_quota: 100,
      notifications: 2,
      is_root_user: false,
      protected_mode: false,
      last_login: null,
      date_joined: expect.stringMatching(/^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$/) as string,
    });
    expect(body.data.attributes).not.toHaveProperty('password_hash');
  });

  it('shows others only what is public, and root everything', async () => {
    const open = (await json('/rest/users/maria', 'jose')).body.data.attributes;
    const forRoot = (await json('/rest/users/maria', 'root')).body.data.attributes;

    expect(open).not.toHaveProperty('email');
    expect(open).not.toHaveProperty('disk_quota');
    expect(forRoot).toMatchObject({ email: 'maria@example.org', is_verified: true });
  });

  it.each(['MARIA', 'maria@example.org'])('finds %s by name or address, for anybody', async (spec) => {
    expect((await json(`/rest/users/${spec}`)).body.data.attributes['user_name']).toBe('maria');
  });

  it('lets people change what is theirs', async () => {
    const response = await patchSelf({
      first_name: 'Mary',
      affiliation: 'X',
      url: 'https://example.org',
      meta: 1,
    });

    expect(response.status).toBe(200);
    const body = (await response.json()) as Answer;
    expect(body.data.attributes).toMatchObject({
      first_name: 'Mary',
      affiliation: 'X',
      url: 'https://example.org',
    });
    expect(body.data.attributes).not.toHaveProperty('is_root_user');
  });

  it.each(['email', 'disk_quota', 'time_used', 'date_joined', 'has_access'])(
    'refuses to change %s',
    async (field) => {
      const response = await patchSelf({ [field]: null });

      expect(response.status).toBe(403);
      expect(await response.text()).toContain(field);
    },
  );

  it.each([
    [{ user_name: 'jose' }, 'taken'],
    [{ user_name: 'JOSE' }, 'taken'],
    [{ user_name: '1bad' }, 'Invalid user name'],
    [{ url: 'no url' }, 'url'],
    [{ first_name: 'x'.repeat(31) }, 'first_name'],
    [{ notifications: 5 }, 'notifications'],
  ])('refuses %j', async (attributes, reason) => {
    const response = await patchSelf(attributes);

    expect(response.status).toBe(400);
    expect(await response.text()).toContain(reason);
  });

  it('ignores flags people cannot set', async () => {
    expect((await patchSelf({ is_verified: false, is_root_user: true })).status).toBe(200);
    expect((await json('/rest/user', 'maria')).body.data.attributes['is_root_user']).toBe(false);
    expect((await json('/rest/users/maria', 'root')).body.data.attributes['is_verified']).toBe(true);
  });

  it('lets root change quotas, exactly', async () => {
    const id = await idOf('maria');
    const bytes = 2 ** 50 + 1;

    const response = await patchUser(id, { time_quota: 10800.0, disk_quota: bytes, parallel_run_quota: 2 });

    expect(response.status).toBe(200);
    const [user] = ((await response.json()) as Answer).data;
    expect(user?.attributes).toMatchObject({ time_quota: 10800, disk_quota: bytes, parallel_run_quota: 2 });
  });

  it('refuses others, unknown users, and more than one at a time', async () => {
    const id = await idOf('maria');
    const both = {
      data: [
        { type: 'users', id },
        { type: 'users', id: '0' },
      ],
    };

    expect((await patchUser(id, { first_name: 'X' }, 'jose')).status).toBe(403);
    expect((await patchUser('0x00', { first_name: 'X' })).status).toBe(404);
    expect((await server.fetch('/rest/users', { as: 'root', method: 'PATCH', json: both })).status).toBe(400);
  });

  it('refuses access changes outside protected mode, and taken names', async () => {
    const id = await idOf('maria');

    expect((await patchUser(id, { has_access: true })).status).toBe(400);
    expect((await patchUser(id, { user_name: 'jose' })).status).toBe(400);
    expect((await patchUser(id, { email: 'JOSE@example.org' })).status).toBe(400);
  });

  it('lets root create users with ids of their own, who can sign in', async () => {
    const attributes = {
      user_name: 'new',
      password: 'pass word',
      email: 'not-an-address',
      is_verified: true,
      disk_quota: 5,
    };
    const create = (as: string, id = 'any-id') =>
      server.fetch('/rest/users', {
        as,
        method: 'POST',
        json: { data: [{ type: 'users', id, attributes }] },
      });

    expect((await create('maria')).status).toBe(403);
    expect((await create('root')).status).toBe(200);
    expect((await create('root')).status).toBe(409);
    expect((await create('root', 'other')).status).toBe(409);
    const token = await server.fetch('/rest/oauth2/token', {
      method: 'POST',
      body: 'grant_type=password&client_id=codalab_cli_client&username=new&password=pass+word',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(token.status).toBe(200);
    expect((await json('/rest/users/any-id', 'root')).body.data.attributes).toMatchObject({
      user_name: 'new',
      disk_quota: 5,
      disk_used: 0,
      time_used: 0,
      last_login: expect.any(String) as string,
    });
  });

  it('lists ten users in the order of their making, or those named', async () => {
    expect(names((await json('/rest/users')).body).slice(0, 3)).toEqual(['root', 'maria', 'jose']);
    const named = await json('/rest/users?filter[user_name]=JOSE,nobody&filter[email]=maria@example.org');
    expect(names(named.body)).toEqual(['maria', 'jose']);
  });

  it('searches', async () => {
    expect(names((await search(['aria'])).body)).toEqual(['maria']);
    expect(names((await search(['last_name=garcia.*'])).body)).toEqual(['jose']);
    expect(names((await search(['last_name=garciaxlopez'])).body)).toEqual([]);
    expect(names((await search(['user_name=maria,jose', '.last'])).body)).toEqual(['jose', 'maria']);
    expect(names((await search(['', '.limit=1', '.offset=1'])).body)).toEqual(['maria']);
    expect((await search(['user_name=maria,jose', '.count'])).body.meta.results).toBe(2);
    expect((await search(['.joined_after=2000-01-01', '.count', '.format=%.1f'])).body.meta.results).not.toBe(
      0,
    );
    expect(names((await search(['disk_quota=.sort-', '.limit=1'], 'root')).body)).toEqual(['maria']);
    expect(names((await search(['.disk_used_more_than=0%', 'user_name=maria'], 'root')).body)).toEqual([
      'maria',
    ]);
    expect(names((await search(['.disk_used_more_than=0.5'], 'root')).body)).toEqual([]);
    expect(names((await search(['parallel_run_quota=2'], 'root')).body)).toEqual(['maria']);
  });

  it('keeps private fields from others, and refuses what it does not know', async () => {
    const refused = await server.fetch('/rest/users?keywords=email%3Da', { as: 'maria' });

    expect(refused.status).toBe(403);
    expect(await refused.text()).toContain('access to search for these fields');
    expect((await server.fetch('/rest/users?keywords=nonsense%3Da', { as: 'root' })).status).toBe(400);
    expect((await server.fetch('/rest/users?keywords=.limit%3Dx', { as: 'root' })).status).toBe(400);
  });

  it('counts what clients say they have sent, at once', async () => {
    const uuid = await createBundle(server, { as: 'jose', type: 'dataset' });
    const count = (bytes: unknown, bundle: string | null, as = 'jose') =>
      server.fetch('/rest/user/increment_disk_used', {
        as,
        method: 'PATCH',
        json: {
          data: [
            {
              type: 'user/increment_disk_used',
              attributes: { disk_used_increment: bytes, bundle_uuid: bundle },
            },
          ],
        },
      });

    const counted = (await (await count(16_384, uuid)).json()) as Answer;
    await Promise.all([count(1, uuid), count(2, uuid), count(3, uuid)]);

    expect(counted.data[0]?.attributes['disk_used']).toBe(16_384);
    expect((await json('/rest/user', 'jose')).body.data.attributes['disk_used']).toBe(16_390);
    expect((await viewBundle(server, uuid)).metadata['data_size']).toBe(16_390);
    expect((await count(10, null)).status).toBe(200);
    expect((await count(0, uuid)).status).toBe(400);
    expect((await count('many', uuid)).status).toBe(400);
    expect((await count(1, uuid, 'maria')).status).toBe(403);
    expect((await count(1, `0x${'0'.repeat(32)}`)).status).toBe(404);
  });

  it('deletes only accounts that own nothing, one’s own or by root', async () => {
    const remove = (ids: string[], as: string) =>
      server.fetch('/rest/users', {
        as,
        method: 'DELETE',
        json: { data: ids.map((id) => ({ type: 'users', id })) },
      });
    const { id } = await server.createUser({ name: 'leaver' });
    const jose = await idOf('jose');

    expect((await remove([id], 'maria')).status).toBe(401);
    expect((await remove(['0'], 'root')).status).toBe(401);
    expect((await remove(['0x1'], 'root')).status).toBe(404);
    const owning = await remove([jose], 'root');
    expect(owning.status).toBe(404);
    expect(await owning.text()).toMatch(/bundles: 0x/);
    const gone = await remove([id], 'leaver');
    expect(await gone.json()).toMatchObject({ meta: { ids: [id] } });
    expect((await json(`/rest/users/leaver`)).status).toBe(404);
    expect((await server.fetch('/rest/user', { as: 'leaver' })).status).toBe(401);
  });
});
