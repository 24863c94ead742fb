import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBundle } from '../runs/testing/bundles.ts';
import { allowOn, ask, makeGroup, makeWorksheet, setBundle, succeed } from '../testing/records.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';

const missing = `0x${'0'.repeat(31)}1`;

describe.each(databases)('fetching bundles on %s', (database) => {
  let server: TestServer;
  let worksheet: string;
  const uuids: Record<string, string> = {};
  const make = async (name: string, more: Parameters<typeof createBundle>[1] = {}) => {
    uuids[name] = await createBundle(server, {
      as: 'maria',
      type: 'dataset',
      query: `detached=0&worksheet=${worksheet}`,
      ...more,
      metadata: { name, ...more.metadata },
    });
    return uuids[name];
  };
  beforeAll(async () => {
    server = await startTestServer({ database });
    worksheet = await makeWorksheet(server, 'maria', 'sheet');
    const raw = await make('raw');
    const clean = await make('clean', { type: 'make', dependencies: [{ child_path: '', parent_uuid: raw }] });
    await make('model', { type: 'run', dependencies: [{ child_path: 'd', parent_uuid: clean }] });
    await make('secret', { query: '', type: 'run', dependencies: [{ child_path: 'd', parent_uuid: raw }] });
    await make('Train');
    await make('train', { query: '' });
    await make('test-1.x');
  });
  afterAll(() => server.close());

  const bySpec = (specs: string[], as = 'maria', more = `&worksheet=${worksheet}`) =>
    ask(
      server,
      `/rest/bundles?${specs.map((spec) => `specs=${encodeURIComponent(spec)}`).join('&')}${more}`,
      { as },
    );
  const ids = (answer: { data: { id: string }[] }) => answer.data.map((bundle) => bundle.id);

  it('answers one bundle as an object, unknown ones with their uuid', async () => {
    const found = await server.fetch(`/rest/bundles/${uuids['raw']}`);
    const gone = await ask(server, `/rest/bundles/${missing}`);

    expect(await found.json()).toMatchObject({ data: { id: uuids['raw'], type: 'bundles' } });
    expect(gone).toMatchObject({ status: 404, text: `Bundle ${missing} not found` });
  });

  it('resolves specs in order, duplicates kept', async () => {
    const answer = await bySpec([
      'model',
      uuids['raw']!,
      'model',
      uuids['clean']!.slice(0, 30),
      '^2',
      'sheet/raw',
    ]);

    expect(ids(answer)).toEqual(
      ['model', 'raw', 'model', 'clean', 'Train', 'raw'].map((name) => uuids[name]),
    );
  });

  it.each([
    ['train', 'Train'],
    ['TRAIN', 'Train'],
    ['tr%', 'Train'],
    ['t.*', 'test-1.x'],
    ['%', 'test-1.x'],
    ['%^2', 'Train'],
    ['test-1.x', 'test-1.x'],
    ['^', 'test-1.x'],
    [' raw ', 'raw'],
  ])('reads %j as %s on the worksheet', async (spec, name) => {
    expect(ids(await bySpec([spec]))).toEqual([uuids[name]]);
  });

  it('prefers the exact name where no worksheet is named, and takes the newest', async () => {
    expect(ids(await bySpec(['train'], 'maria', ''))).toEqual([uuids['train']]);
    expect(ids(await bySpec(['Train'], 'maria', ''))).toEqual([uuids['Train']]);
    expect(ids(await bySpec(['TRAIN'], 'maria', ''))).toEqual([uuids['train']]);
    expect(ids(await bySpec(['TRAIN^2'], 'maria', ''))).toEqual([uuids['Train']]);
    expect(ids(await bySpec(['tr.*^2'], 'maria', ''))).toEqual([uuids['Train']]);
  });

  it('reads / as the home worksheet', async () => {
    const { data } = await succeed(server, '/rest/worksheets?specs=/', { as: 'maria' });
    const uuid = await createBundle(server, {
      as: 'maria',
      type: 'dataset',
      query: `detached=0&worksheet=${data[0]!.id}`,
      metadata: { name: 'athome' },
    });

    expect(ids(await bySpec(['/athome', '/^']))).toEqual([uuid, uuid]);
  });

  it.each([
    [['nothing'], 404],
    [['train^9'], 400],
    [['^99'], 400],
    [['train^0'], 400],
    [[''], 400],
    [['a b'], 400],
    [['0x000000'], 404],
    [['nowhere/raw'], 404],
    [[missing], 404],
  ])('refuses %j with %d', async (specs, status) => {
    expect((await bySpec(specs)).status).toBe(status);
  });

  it('refuses ambiguous prefixes, and indexes without a worksheet', async () => {
    for (const digit of ['1', '2']) {
      const uuid = `0xfedcba${digit.repeat(26)}`;
      const attributes = {
        bundle_type: 'dataset',
        uuid,
        metadata: { name: 'twin', description: '', tags: [], license: '', source_url: '' },
      };
      await succeed(server, '/rest/bundles?detached=1', {
        as: 'jose',
        method: 'POST',
        json: { data: [{ type: 'bundles', attributes }] },
      });
    }

    expect(await bySpec(['0xfedcba'])).toMatchObject({
      status: 400,
      text: 'More than one bundle has uuid prefix 0xfedcba',
    });
    expect((await bySpec(['^1'], 'maria', '')).status).toBe(400);
    expect((await bySpec(['^1'], 'maria', '&worksheet=None')).status).toBe(400);
  });

  it('asks for a selector', async () => {
    expect((await ask(server, '/rest/bundles')).status).toBe(400);
    expect((await ask(server, '/rest/bundles?specs=a&include=wrong')).text).toBe(
      '?include=wrong not supported',
    );
  });

  it('extends the list with descendants, level by level', async () => {
    const depth = async (levels: string) => ids(await bySpec([uuids['raw']!], 'maria', `&depth=${levels}`));

    expect(await depth('0')).toEqual([uuids['raw']]);
    expect(await depth('1')).toEqual([uuids['raw'], uuids['clean'], uuids['secret']]);
    expect(await depth('9')).toEqual([uuids['raw'], uuids['clean'], uuids['secret'], uuids['model']]);
    expect((await bySpec([uuids['raw']!], 'maria', '&depth=x')).status).toBe(400);
  });

  it('includes owners, children and hosts that the viewer may see', async () => {
    const hidden = await makeWorksheet(server, 'jose', 'hidden');
    const publicGroup = (await succeed(server, '/rest/groups/public', { as: 'jose' })).data[0]!.id;
    await allowOn(server, 'worksheet', 'jose', hidden, publicGroup, 0);
    const relationships = {
      worksheet: { data: null },
      bundle: { data: { type: 'bundles', id: uuids['raw'] } },
    };
    const item = { type: 'worksheet-items', attributes: { type: 'bundle' }, relationships };
    await succeed(server, `/rest/worksheet-items?uuid=${hidden}`, {
      as: 'jose',
      method: 'POST',
      json: { data: [item, item] },
    });

    const path = `/rest/bundles/${uuids['raw']}?include=owner,children,host_worksheets,group_permissions`;
    const byOwner = await succeed(server, path, { as: 'maria' });
    const byNobody = await succeed(server, path);
    const byOther = await succeed(server, path, { as: 'jose' });

    const related = (answer: typeof byOwner, name: string) =>
      [answer.data[0]?.relationships?.[name]?.data ?? []].flat().map((link) => link.id);
    expect(related(byOwner, 'children')).toEqual([uuids['clean'], uuids['secret']]);
    expect(related(byNobody, 'children')).toEqual([uuids['clean']]);
    expect(related(byOwner, 'host_worksheets')).toEqual([worksheet]);
    expect(related(byOther, 'host_worksheets')).toEqual([worksheet, hidden]);
    expect(byNobody.included).toContainEqual({
      type: 'bundles',
      id: uuids['clean'],
      attributes: { uuid: uuids['clean'], metadata: { name: 'clean' } },
    });
    expect(byNobody.included).toContainEqual({
      type: 'worksheets',
      id: worksheet,
      attributes: { uuid: worksheet, name: 'sheet' },
    });
    expect(byNobody.included.find((one) => one.type === 'users')?.attributes).toMatchObject({
      user_name: 'maria',
    });
    expect(byNobody.included.find((one) => one.type === 'users')?.attributes).not.toHaveProperty('email');
    expect(byNobody.included.find((one) => one.type === 'bundle-permissions')).toMatchObject({
      attributes: { group_name: 'public', permission: 1, permission_spec: 'read' },
      relationships: { group: { data: { id: publicGroup } } },
    });
  });

  it('shows empty relationships to readers, and none where there are no permissions', async () => {
    const { data } = await succeed(
      server,
      `/rest/bundles/${uuids['secret']}?include=children,host_worksheets,group_permissions`,
      { as: 'maria' },
    );

    expect(data[0]?.relationships).toMatchObject({ children: { data: [] }, host_worksheets: { data: [] } });
    expect(data[0]?.relationships).not.toHaveProperty('group_permissions');
  });

  it('shows anonymous viewers only the row of the public group', async () => {
    const group = await makeGroup(server, 'maria', 'writers');
    await allowOn(server, 'bundle', 'maria', uuids['clean']!, group, 2);
    const path = `/rest/bundles/${uuids['clean']}?include=group_permissions`;
    const names = async (as?: string) =>
      (await succeed(server, path, as === undefined ? {} : { as })).included.map(
        (one) => one.attributes['group_name'],
      );

    expect(await names()).toEqual(['public']);
    expect(await names('jose')).toEqual(['public', 'writers']);
  });

  it('describes metadata for forms', async () => {
    const path = (name: string) => `/rest/bundles/${uuids[name]}?include_display_metadata=1`;

    const [model] = (await succeed(server, path('model'), { as: 'maria' })).data;
    const [masked] = (await succeed(server, path('secret'))).data;

    expect(model?.meta).toMatchObject({ metadata_type: { created: 'date', request_cpus: 'int' } });
    expect(masked?.meta).toEqual({
      editable_metadata_keys: [],
      metadata_type: {},
      metadata_descriptions: {},
    });
  });

  it('finds the same bundles again, one’s own only', async () => {
    const dependency = { child_path: 'd', parent_uuid: uuids['raw'] };
    const look = async (command: string, dependencies: unknown, as = 'maria') =>
      await ask(
        server,
        `/rest/bundles?command=${command}&dependencies=${encodeURIComponent(JSON.stringify(dependencies))}`,
        { as },
      );
    const again = await make('again', {
      type: 'run',
      dependencies: [{ child_path: 'd', parent_uuid: uuids['raw']!, parent_path: 'sub' }],
    });
    const alone = await make('alone', { type: 'run', query: '' });

    expect(ids(await look('true', [dependency]))).toEqual([uuids['secret'], again]);
    expect(ids(await look('true', []))).toEqual([alone]);
    expect(ids(await look('true', [dependency, { ...dependency, child_path: 'e' }]))).toEqual([]);
    expect(ids(await look('true', [dependency], 'jose'))).toEqual([]);
    expect(ids(await look('None', [dependency]))).toEqual([]);
    expect((await look('true', 'x')).status).toBe(400);
    expect((await ask(server, '/rest/bundles?command=true&dependencies={', { as: 'maria' })).status).toBe(
      400,
    );
    expect(ids(await ask(server, '/rest/bundles?command=true', { as: 'maria' }))).toEqual([alone]);
  });

  it('gives the state in words', async () => {
    await setBundle(server, uuids['raw']!, { state: 'ready' });

    const { data } = await succeed(server, `/rest/bundles/${uuids['raw']}`);

    expect(data[0]?.attributes['state_details']).toMatch(/\w/);
  });
});
