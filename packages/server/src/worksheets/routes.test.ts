import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBundle } from '../runs/testing/bundles.ts';
import { allowOn, ask, makeGroup, makeWorksheet, succeed } from '../testing/records.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';

const missing = `0x${'0'.repeat(31)}1`;

describe.each(databases)('worksheets on %s', (database) => {
  let server: TestServer;
  let publicGroup: string;
  beforeAll(async () => {
    server = await startTestServer({ database });
    publicGroup = (await succeed(server, '/rest/groups/public', { as: 'maria' })).data[0]!.id;
  });
  afterAll(() => server.close());

  const create = (name: unknown, as = 'maria') =>
    ask(server, '/rest/worksheets', {
      as,
      method: 'POST',
      json: { data: [{ type: 'worksheets', attributes: { name } }] },
    });
  const bySpec = (spec: string, as?: string, base = 'None') =>
    ask(
      server,
      `/rest/worksheets?base=${base}&specs=${encodeURIComponent(spec)}`,
      as === undefined ? {} : { as },
    );
  const patch = (id: string, attributes: unknown, as = 'maria', relationships?: unknown) =>
    ask(server, '/rest/worksheets', {
      as,
      method: 'PATCH',
      json: { data: [{ type: 'worksheets', id, attributes, relationships }] },
    });
  const remove = (id: string, as = 'maria', query = '') =>
    ask(server, `/rest/worksheets${query}`, {
      as,
      method: 'DELETE',
      json: { data: [{ type: 'worksheets', id }] },
    });
  const search = async (keywords: string[], as?: string) => {
    const text = keywords.map((word) => `keywords=${encodeURIComponent(word)}`).join('&');
    return await ask(server, `/rest/worksheets?${text}`, as === undefined ? {} : { as });
  };
  const names = async (keywords: string[], as?: string) =>
    (await search(keywords, as)).data.map(({ attributes }) => attributes['name']);
  const item = (type: string, value: Record<string, unknown>) => ({
    type: 'worksheet-items',
    attributes: { type, ...('value' in value ? { value: value['value'] } : {}) },
    relationships: {
      worksheet: { data: { type: 'worksheets', id: missing } },
      bundle: { data: value['bundle'] === undefined ? null : { type: 'bundles', id: value['bundle'] } },
      subworksheet: {
        data: value['worksheet'] === undefined ? null : { type: 'worksheets', id: value['worksheet'] },
      },
    },
  });
  const add = (uuid: string, items: unknown[], query = '', as = 'maria') =>
    ask(server, `/rest/worksheet-items?uuid=${uuid}${query}`, { as, method: 'POST', json: { data: items } });
  const itemsOf = async (uuid: string, as = 'maria') => {
    const { data, included } = await succeed(server, `/rest/worksheets/${uuid}?include=items`, { as });
    const links = data[0]?.relationships?.['items']?.data as { id: string }[];
    return links.map(({ id }) => included.find((one) => one.type === 'worksheet-items' && one.id === id)!);
  };
  const values = async (uuid: string) => (await itemsOf(uuid)).map(({ attributes }) => attributes['value']);

  it('creates worksheets that everybody may read', async () => {
    const { data } = await create('demo');

    expect(data[0]).toMatchObject({
      type: 'worksheets',
      attributes: { name: 'demo', title: null, frozen: null, is_anonymous: false, tags: [], permission: 2 },
    });
    const shown = await succeed(server, `/rest/worksheets/${data[0]!.id}?include=owner,group_permissions`);
    expect(shown.data[0]).toMatchObject({
      attributes: { uuid: data[0]!.id, permission: 1, permission_spec: 'read', last_item_id: null },
      relationships: {
        owner: { data: { type: 'users' } },
        group_permissions: { data: [{ type: 'worksheet-permissions' }] },
      },
    });
    expect(shown.included.find(({ type }) => type === 'worksheet-permissions')).toMatchObject({
      attributes: { group_name: 'public', permission: 1 },
      relationships: { group: { data: { id: publicGroup } } },
    });
    expect(shown.included.find(({ type }) => type === 'users')?.attributes['user_name']).toBe('maria');
  });

  it.each([
    ['demo', 'already exists'],
    ['DEMO', 'already exists'],
    ['home-jose', 'potentially the home worksheet of another user'],
    ['1x', 'Invalid worksheet name'],
    ['', 'non-empty'],
    [undefined, 'name'],
  ])('refuses the name %j', async (name, reason) => {
    const answer = await create(name);

    expect(answer.status).toBe(400);
    expect(answer.text).toContain(reason);
  });

  it('asks creators to sign in', async () => {
    const json = { data: [{ type: 'worksheets', attributes: { name: 'x' } }] };

    expect((await ask(server, '/rest/worksheets', { method: 'POST', json })).status).toBe(401);
  });

  it('makes a home at the first look, once even when asked twice at a time', async () => {
    await server.tokenFor('jose');
    const [one, two] = await Promise.all([bySpec('/', 'jose'), bySpec('', 'jose')]);

    expect(one.data[0]).toMatchObject({ attributes: { name: 'home-jose' } });
    expect(two.data[0]?.id).toBe(one.data[0]?.id);
    expect((await bySpec('home-jose')).data[0]?.id).toBe(one.data[0]?.id);
    const anonymous = await bySpec('/');
    expect(anonymous.status).toBe(403);
    expect(anonymous.text).toBe('You must be logged in to create a worksheet.');
  });

  it('makes the dashboard at the first look, with its text', async () => {
    const { data } = await bySpec('dashboard', 'maria');

    expect(data[0]?.attributes['title']).toBe('CodaLab Dashboard');
    expect(
      (await itemsOf(data[0]!.id)).some(({ attributes }) => attributes['value'] === 'wsearch .mine'),
    ).toBe(true);
  });

  it('resolves uuids, their beginnings, names, and items of the base first', async () => {
    const uuid = await makeWorksheet(server, 'maria', 'target');
    const twins = [];
    for (const [index, digit] of ['1', '2'].entries()) {
      const twin = `0xabcabc${digit.repeat(26)}`;
      const row = {
        uuid: twin,
        name: `twin${index}`,
        owner_id: null,
        title: null,
        frozen_at: null,
        is_anonymous: 0,
        created_at: 0,
        changed_at: 0,
      };
      await server.services.database.queries
        .insertInto('worksheet')
        .values({ ...row, tags: '[]' })
        .execute();
      twins.push(twin);
    }
    const base = await makeWorksheet(server, 'maria', 'base');
    await add(base, [item('worksheet', { worksheet: twins[1] })]);

    expect((await bySpec(uuid)).data[0]?.id).toBe(uuid);
    expect((await bySpec(uuid.slice(0, 20))).data[0]?.id).toBe(uuid);
    expect((await bySpec(' TARGET ')).data[0]?.id).toBe(uuid);
    expect((await bySpec(missing)).data).toEqual([]);
    const ambiguous = await bySpec('0xabcabc');
    expect(ambiguous.status).toBe(400);
    for (const twin of twins) expect(ambiguous.text).toContain(twin);
    expect((await bySpec('0xabcabc', 'maria', base)).data[0]?.id).toBe(twins[1]);
    expect((await bySpec('target', 'maria', base)).data[0]?.id).toBe(uuid);
    expect((await bySpec('target', 'maria', missing)).data[0]?.id).toBe(uuid);
    expect(await bySpec('unknown')).toMatchObject({
      status: 404,
      text: "No worksheet found with name 'unknown'",
    });
    expect((await bySpec('0xffffff')).status).toBe(404);
    expect((await bySpec('a b')).status).toBe(400);
  });

  it('tells those who may not read it nothing but the name', async () => {
    const uuid = await makeWorksheet(server, 'maria', 'private');
    await patch(uuid, { title: 'Secret title' });
    await allowOn(server, 'worksheet', 'maria', uuid, publicGroup, 0);

    expect((await bySpec('private', 'jose')).data[0]).toEqual({
      type: 'worksheets',
      id: uuid,
      attributes: { uuid, name: 'private' },
    });
    const refused = await ask(server, `/rest/worksheets/${uuid}`, { as: 'jose' });
    expect(refused.status).toBe(403);
    expect(refused.text).toContain('does not have sufficient permissions on worksheet');
    expect((await ask(server, `/rest/worksheets/${missing}`)).status).toBe(404);
  });

  it('holds items in order, with what they stand for', async () => {
    const uuid = await makeWorksheet(server, 'maria', 'items');
    const bundle = await createBundle(server, { as: 'maria', type: 'dataset' });
    const secret = await createBundle(server, { as: 'jose', type: 'dataset' });

    const added = await add(uuid, [
      item('markup', { value: 'Grüße 🌍' }),
      item('bundle', { bundle }),
      item('bundle', { bundle: secret }),
      item('bundle', { bundle: missing }),
      item('directive', { value: 'display table' }),
      item('worksheet', { worksheet: uuid }),
    ]);

    expect(added.data.map(({ attributes }) => attributes['type'])).toEqual([
      'markup',
      'bundle',
      'bundle',
      'bundle',
      'directive',
      'worksheet',
    ]);
    const shown = await succeed(
      server,
      `/rest/worksheets/${uuid}?include=items,items.bundle,items.bundle.owner,items.subworksheet`,
      { as: 'maria' },
    );
    const [markup, ...others] = shown.included.filter(({ type }) => type === 'worksheet-items');
    expect(markup).toMatchObject({
      attributes: { type: 'markup', value: 'Grüße 🌍' },
      relationships: {
        worksheet: { data: { id: uuid } },
        bundle: { data: null },
        subworksheet: { data: null },
      },
    });
    expect(others[0]?.relationships?.['bundle']).toEqual({ data: { type: 'bundles', id: bundle } });
    expect(shown.data[0]?.attributes['last_item_id']).toBe(Number(others.at(-1)?.id));
    const bundles = shown.included.filter(({ type }) => type === 'bundles');
    expect(bundles.map(({ id }) => id).toSorted((one, other) => one.localeCompare(other))).toEqual(
      [bundle, secret].toSorted((one, other) => one.localeCompare(other)),
    );
    expect(bundles.find(({ id }) => id === secret)?.attributes['bundle_type']).toBe('private');
    expect(
      shown.included.filter(({ type }) => type === 'users').map(({ attributes }) => attributes['user_name']),
    ).toEqual(['maria']);
    expect(
      shown.included.find(({ type, id }) => type === 'worksheets' && id === uuid)?.attributes,
    ).toMatchObject({ name: 'items' });
    expect((await ask(server, `/rest/worksheets/${uuid}?include=items,x`)).status).toBe(400);
  });

  it('replaces all items, also by none', async () => {
    const uuid = await makeWorksheet(server, 'maria', 'replaced');
    await add(
      uuid,
      ['a', 'b'].map((value) => item('markup', { value })),
    );

    await add(uuid, [item('markup', { value: 'c' })], '&replace=1');
    expect(await values(uuid)).toEqual(['c']);
    await add(uuid, [], '&replace=1');
    expect(await values(uuid)).toEqual([]);
  });

  it('removes and inserts lines at a place, its own only', async () => {
    const [uuid, other] = [
      await makeWorksheet(server, 'maria', 'edited'),
      await makeWorksheet(server, 'maria', 'foreign'),
    ];
    await add(
      uuid,
      ['a', 'b', 'c'].map((value) => item('markup', { value })),
    );
    await add(other, [item('markup', { value: 'stays' })]);
    const [a, b] = await itemsOf(uuid);
    const [foreign] = await itemsOf(other);
    const change = (body: unknown, as = 'maria') =>
      ask(server, `/rest/worksheets/${uuid}/add-items`, { as, method: 'POST', json: body });

    const answer = await change({
      ids: [Number(b!.id), Number(foreign!.id), null],
      items: ['x', 'y'],
      after_sort_key: String(a!.attributes['sort_key']),
    });
    await change({ items: ['first'], after_sort_key: -1 });
    await change({ items: ['display table'], item_type: 'directive' });

    expect(answer).toMatchObject({ status: 200, text: '' });
    expect(await values(uuid)).toEqual(['first', 'a', 'x', 'y', 'c', 'display table']);
    expect(await values(other)).toEqual(['stays']);
    expect((await change({ items: ['x'], item_type: 'image' })).status).toBe(400);
    expect((await change({ items: ['x'], after_sort_key: 'top' })).status).toBe(400);
    expect((await change({ items: ['x'] }, 'jose')).status).toBe(403);
  });

  it('keeps items in their order whatever is inserted where', async () => {
    const uuid = await makeWorksheet(server, 'maria', 'shuffled');
    const model: string[] = [];
    for (let count = 0; count < 40; count += 1) {
      const items = await itemsOf(uuid);
      const at = (count * 7) % (items.length + 1);
      const after = at === 0 ? 0 : items[at - 1]!.attributes['sort_key'];
      await succeed(server, `/rest/worksheets/${uuid}/add-items`, {
        as: 'maria',
        method: 'POST',
        json: { items: [`${count}a`, `${count}b`], after_sort_key: after },
      });
      model.splice(at, 0, `${count}a`, `${count}b`);
    }

    const items = await itemsOf(uuid);
    const keys = items.map(({ attributes }) => attributes['sort_key'] as number);
    expect(items.map(({ attributes }) => attributes['value'])).toEqual(model);
    expect(keys.every((key) => key > 0)).toBe(true);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('keeps simultaneous appends apart', async () => {
    const uuid = await makeWorksheet(server, 'maria', 'busy');
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => add(uuid, [item('markup', { value: String(index) })])),
    );

    const keys = (await itemsOf(uuid)).map(({ attributes }) => attributes['sort_key']);
    expect(keys).toHaveLength(20);
    expect(new Set(keys).size).toBe(20);
  });

  it.each([
    ['no worksheet', 'None', [item('markup', { value: 'x' })], 404],
    ['an unknown worksheet', missing, [item('markup', { value: 'x' })], 404],
    ['an unknown type', undefined, [item('image', { value: 'x' })], 400],
    ['a value of null', undefined, [item('markup', { value: null })], 400],
    ['a bundle item without bundle', undefined, [item('bundle', {})], 400],
  ])('refuses items with %s', async (_what, given, items, status) => {
    const uuid = given ?? (await bySpec('demo')).data[0]!.id;

    expect((await add(uuid, items)).status).toBe(status);
  });

  it('changes name, title, tags and owner', async () => {
    const uuid = await makeWorksheet(server, 'maria', 'before');
    const { id } = await server.createUser({ name: 'heir' });

    const { data } = await patch(uuid, {
      name: 'after',
      title: 'Título',
      tags: ['paper', ''],
      permission: 0,
      date_created: 'x',
    });

    expect(data[0]?.attributes).toMatchObject({ name: 'after', title: 'Título', tags: ['paper'] });
    expect((await patch(uuid, { name: 'after' })).status).toBe(200);
    expect((await patch(uuid, { name: 'demo' })).status).toBe(400);
    expect((await patch(uuid, { title: null })).status).toBe(400);
    expect((await patch(uuid, { tags: ['é'] })).text).toBe(
      'Unsupported character detected, use ascii characters',
    );
    expect((await patch(uuid, { title: 'x' }, 'jose')).status).toBe(403);
    expect((await patch(missing, { title: 'x' })).status).toBe(404);
    expect(
      (await patch(uuid, {}, 'maria', { owner: { data: { type: 'users', id: '0xnobody' } } })).status,
    ).toBe(404);
    expect((await patch(uuid, {}, 'maria', { owner: { data: { type: 'users', id } } })).status).toBe(200);
    expect((await patch(uuid, { title: 'x' })).status).toBe(403);
    expect((await patch(uuid, { title: 'x' }, 'heir')).status).toBe(200);
  });

  it('lets nothing change a frozen worksheet but thawing', async () => {
    const uuid = await makeWorksheet(server, 'maria', 'frozen');

    expect((await patch(uuid, { frozen: 'soon' })).status).toBe(400);
    const { data } = await patch(uuid, { frozen: '2000-01-01T00:00:00' });

    expect(data[0]?.attributes['frozen']).not.toContain('2000');
    const refusals = [
      await patch(uuid, { title: 'x' }),
      await patch(uuid, { frozen: '2000-01-01' }),
      await add(uuid, [item('markup', { value: 'x' })]),
      await ask(server, `/rest/worksheets/${uuid}/add-items`, {
        as: 'maria',
        method: 'POST',
        json: { items: ['x'] },
      }),
      await allowOn(server, 'worksheet', 'maria', uuid, publicGroup, 2),
    ];
    for (const refusal of refusals) {
      expect(refusal.status).toBe(403);
      expect(refusal.text).toBe(`Cannot mutate frozen worksheet ${uuid}(frozen).`);
    }
    expect((await remove(uuid)).status).toBe(400);
    expect((await patch(uuid, { frozen: null, title: 'x' })).data[0]?.attributes).toMatchObject({
      frozen: null,
      title: 'x',
    });
    await patch(uuid, { frozen: '2000-01-01' });
    expect(await remove(uuid, 'maria', '?force=1')).toMatchObject({ status: 200, text: '' });
  });

  it('deletes empty worksheets, others by force, with the items that point to them', async () => {
    const [uuid, pointing] = [
      await makeWorksheet(server, 'maria', 'doomed'),
      await makeWorksheet(server, 'maria', 'pointing'),
    ];
    await add(uuid, [item('markup', { value: 'x' })]);
    await add(pointing, [item('worksheet', { worksheet: uuid }), item('markup', { value: 'stays' })]);

    const refused = await remove(uuid);
    expect(refused.text).toBe(
      `Can't delete worksheet ${uuid} because it is not empty (--force to override).`,
    );
    expect((await remove(uuid, 'jose', '?force=1')).status).toBe(403);
    expect((await remove(uuid, 'maria', '?force=yes')).status).toBe(400);
    expect((await remove(uuid, 'maria', '?force=1')).status).toBe(200);
    expect((await ask(server, `/rest/worksheets/${uuid}`)).status).toBe(404);
    expect(await values(pointing)).toEqual(['stays']);
    const json = { data: { type: 'bundles', id: pointing } };
    expect((await ask(server, '/rest/worksheets', { as: 'maria', method: 'DELETE', json })).text).toBe(
      "type must be 'worksheets'",
    );
  });

  it('hides the owner of an anonymous worksheet, in searches too', async () => {
    const uuid = await makeWorksheet(server, 'maria', 'anonymous');
    await patch(uuid, { is_anonymous: true });

    const seen = await succeed(server, `/rest/worksheets/${uuid}?include=owner,group_permissions`, {
      as: 'jose',
    });

    expect(seen.data[0]?.relationships).toMatchObject({
      owner: { data: null },
      group_permissions: { data: [] },
    });
    expect(seen.included).toEqual([]);
    expect(await names(['owner=maria', 'name=anonymous'], 'jose')).toEqual([]);
    expect(await names(['owner=maria', 'name=anonymous'], 'maria')).toEqual(['anonymous']);
    expect(
      (await succeed(server, `/rest/worksheets/${uuid}?include=owner`, { as: 'maria' })).included,
    ).toHaveLength(1);
  });

  describe('searching', () => {
    beforeAll(async () => {
      const lab = await makeGroup(server, 'ana', `lab_${database}`, ['bea']);
      const alpha = await makeWorksheet(server, 'ana', 'alpha-list');
      const beta = await makeWorksheet(server, 'ana', 'beta-list');
      await makeWorksheet(server, 'bea', 'gamma_list');
      await patch(alpha, { title: 'The first', tags: ['paper', 'red'] }, 'ana');
      await add(
        beta,
        [
          item('markup', { value: 'needle in here' }),
          item('bundle', { bundle: missing }),
          item('worksheet', { worksheet: alpha }),
        ],
        '',
        'ana',
      );
      await allowOn(server, 'worksheet', 'ana', beta, publicGroup, 0);
      await allowOn(server, 'worksheet', 'ana', beta, lab, 1);
    });

    it.each<[string[], string, string[]]>([
      [['-list', '.mine'], 'ana', ['beta-list', 'alpha-list']],
      [['list', 'name=.sort'], 'ana', ['alpha-list', 'beta-list', 'gamma_list']],
      [['list', 'name=.sort-', '.notmine'], 'ana', ['gamma_list']],
      [['list', '.shared'], 'bea', ['beta-list']],
      [['list', '.shared', '.notmine'], 'bea', ['beta-list']],
      [['THE first'], 'bea', ['alpha-list']],
      [['=needle'], 'ana', ['beta-list']],
      [['=needle'], 'jose', []],
      [['tag=red'], 'ana', ['alpha-list']],
      [['tag=re.*'], 'ana', ['alpha-list']],
      [['tag=blue'], 'ana', []],
      [['name=alpha.*'], 'ana', ['alpha-list']],
      [['name=gamma%list'], 'ana', ['gamma_list']],
      [['name=alpha_list'], 'ana', []],
      [['owner=bea', 'list'], 'ana', ['gamma_list']],
      [[`bundle=${missing}`, 'list'], 'ana', ['beta-list']],
      [['list', 'id=.sort', '.limit=1', '.offset=1'], 'ana', ['beta-list']],
      [['list', '.last'], 'ana', ['beta-list', 'alpha-list', 'gamma_list']],
      [[`group=lab_${database}`, 'list'], 'bea', ['beta-list']],
    ])('%j as %s', async (keywords, as, expected) => {
      expect(await names(keywords, as)).toEqual(expected);
    });

    it('lists one’s own first, then what changed last', async () => {
      const listed = await succeed(server, '/rest/worksheets?include=owner,group_permissions', { as: 'bea' });

      expect(listed.data[0]?.attributes['name']).toBe('gamma_list');
      expect(listed.data).toHaveLength(10);
      expect(listed.included.some(({ type }) => type === 'worksheet-permissions')).toBe(true);
    });

    it('refuses what it does not know', async () => {
      expect(await search(['color=red'])).toMatchObject({ status: 400, text: 'Unknown key: color' });
      expect((await search(['.limit=x'])).status).toBe(400);
      expect((await search([`group=lab_${database}`], 'jose')).status).toBe(404);
      expect((await search([`group=lab_${database}`])).status).toBe(404);
      expect((await search(['group=public', 'list'])).data).toHaveLength(2);
    });
  });
});
