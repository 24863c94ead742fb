import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allowOn, ask, makeGroup, makeWorksheet, setBundle, succeed } from '../testing/records.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';

const missing = `0x${'0'.repeat(31)}1`;

const upload = (metadata: Record<string, unknown> = {}, more: Record<string, unknown> = {}) => ({
  type: 'bundles',
  attributes: {
    bundle_type: 'dataset',
    metadata: { name: 'data', description: '', tags: [], license: '', source_url: '', ...metadata },
    ...more,
  },
});

const run = (more: Record<string, unknown> = {}, metadata: Record<string, unknown> = {}) => ({
  type: 'bundles',
  attributes: {
    bundle_type: 'run',
    command: 'sort data.txt',
    metadata: {
      name: 'run-sort',
      description: '',
      tags: [],
      allow_failed_dependencies: false,
      request_docker_image: '',
      request_time: '',
      request_memory: '2g',
      request_disk: '',
      request_cpus: 1,
      request_gpus: 0,
      request_queue: '',
      request_priority: 0,
      request_network: true,
      exclude_patterns: [],
      store: '',
      ...metadata,
    },
    ...more,
  },
});

describe.each(databases)('creating bundles on %s', (database) => {
  let server: TestServer;
  let worksheet: string;
  beforeAll(async () => {
    server = await startTestServer({ database });
    worksheet = await makeWorksheet(server, 'maria', 'lab');
  });
  afterAll(() => server.close());

  const create = (data: unknown[], query = `worksheet=${worksheet}`, as = 'maria') =>
    ask(server, `/rest/bundles?${query}`, { as, method: 'POST', json: { data } });
  const uuidsOn = async (uuid: string) => {
    const { included } = await succeed(server, `/rest/worksheets/${uuid}?include=items`, { as: 'root' });
    return included.map(
      (item) => (item.relationships?.['bundle']?.data as { id: string } | null)?.id ?? null,
    );
  };

  it('answers the bundles in request order, and puts them on the worksheet in that order', async () => {
    const sheet = await makeWorksheet(server, 'maria', 'ordered');

    const { data, status } = await create(
      [upload({ name: 'a' }), run(), upload({ name: 'c' })],
      `worksheet=${sheet}`,
    );

    expect(status).toBe(200);
    expect(data.map((bundle) => (bundle.attributes['metadata'] as { name: string }).name)).toEqual([
      'a',
      'run-sort',
      'c',
    ]);
    expect(data[0]).toMatchObject({
      attributes: { state: 'uploading', permission: 2, permission_spec: 'all', version: 1, args: null },
      relationships: { owner: { data: { type: 'users' } } },
    });
    expect(data[1]?.attributes).toMatchObject({ command: 'sort data.txt', state: 'created' });
    expect(await uuidsOn(sheet)).toEqual(data.map((bundle) => bundle.id));
  });

  it.each([
    ['link_url', upload({ link_url: '/data/x', link_format: 'raw' }), '', 'ready'],
    ['a dataset', upload(), '', 'uploading'],
    ['a run', run(), '', 'created'],
    ['a run that is copied', run(), '&wait_for_upload=1', 'uploading'],
  ])('begins %s', async (_what, bundle, query, state) => {
    const { data } = await create([bundle], `worksheet=${worksheet}${query}`);

    expect(data[0]?.attributes['state']).toBe(state);
  });

  it('inherits permissions and anonymity of the worksheet, once', async () => {
    const sheet = await makeWorksheet(server, 'maria', 'shared');
    const group = await makeGroup(server, 'maria', 'readers', ['jose']);
    await allowOn(server, 'worksheet', 'maria', sheet, group, 2);
    await succeed(server, '/rest/worksheets', {
      as: 'maria',
      method: 'PATCH',
      json: { data: [{ type: 'worksheets', id: sheet, attributes: { is_anonymous: true } }] },
    });

    const [bundle] = (await create([upload()], `worksheet=${sheet}`)).data;
    await allowOn(server, 'worksheet', 'maria', sheet, group, 0);

    expect(bundle?.attributes['is_anonymous']).toBe(true);
    const seen = await succeed(server, `/rest/bundles/${bundle?.id}`, { as: 'jose' });
    expect(seen.data[0]).toMatchObject({ attributes: { permission: 2 } });
    const byNobody = await succeed(server, `/rest/bundles/${bundle?.id}`);
    expect(byNobody.data[0]).toMatchObject({
      attributes: { permission: 1 },
      relationships: { owner: { data: null } },
    });
  });

  it('gives detached bundles to nobody else', async () => {
    const [bundle] = (await create([upload()], 'detached=1')).data;

    const seen = await succeed(server, `/rest/bundles/${bundle?.id}`, { as: 'jose' });

    expect(seen.data[0]?.attributes).toEqual({
      uuid: bundle?.id,
      bundle_type: 'private',
      command: null,
      state: null,
      frozen: null,
      is_anonymous: null,
      args: null,
      metadata: { name: '<private>' },
      dependencies: [],
    });
    expect(seen.data[0]?.relationships).toEqual({ owner: { data: null } });
  });

  it('keeps dependencies as given, in order', async () => {
    const [parent] = (await create([upload({ name: 'parent' })])).data;
    const dependencies = [
      { child_path: 'b', parent_uuid: parent!.id, parent_path: 'x/', parent_name: 'ignored' },
      { child_path: 'a', parent_uuid: missing },
    ];

    const [bundle] = (await create([run({ dependencies })])).data;

    expect(bundle?.attributes['dependencies']).toEqual([
      {
        child_uuid: bundle?.id,
        child_path: 'b',
        parent_uuid: parent!.id,
        parent_path: 'x/',
        parent_name: 'parent',
        parent_state: 'uploading',
      },
      {
        child_uuid: bundle?.id,
        child_path: 'a',
        parent_uuid: missing,
        parent_path: '',
        parent_name: null,
        parent_state: null,
      },
    ]);
    expect(bundle?.attributes['args']).toBe(
      `run b:${parent!.id}/x/ a:${missing} "sort data.txt" --request-cpus 1 --request-memory 2g --request-network`,
    );
  });

  it('does not name a parent the viewer may not read', async () => {
    const [secret] = (await create([upload({ name: 'secret' })], 'detached=1')).data;
    const [child] = (await create([run({ dependencies: [{ child_path: 'd', parent_uuid: secret!.id }] })]))
      .data;

    const seen = await succeed(server, `/rest/bundles/${child!.id}`, { as: 'jose' });

    expect(seen.data[0]?.attributes['dependencies']).toMatchObject([
      { parent_name: null, parent_state: null },
    ]);
  });

  it('takes a fetched record as it is: identity and generated keys of a copy, nothing else of the system', async () => {
    const uuid = `0x${'ab'.repeat(16)}`;
    const copied = run(
      {
        uuid,
        state: 'ready',
        state_details: 'x',
        args: 'x',
        frozen: '2024-01-01T00:00:00+00:00',
        permission: 2,
        permission_spec: 'all',
        is_anonymous: true,
        meta: {},
        dependencies: [
          { child_path: 'd', parent_uuid: missing, parent_path: '', child_uuid: uuid, parent_state: null },
        ],
      },
      { created: 5, data_size: 7, action_key: 'f'.repeat(64), exitcode: 3, time: 1.5 },
    );

    const [bundle] = (
      await create(
        [{ ...copied, id: uuid, relationships: { owner: { data: null } } }],
        'detached=1&wait_for_upload=1',
      )
    ).data;

    expect(bundle).toMatchObject({
      id: uuid,
      attributes: { uuid, state: 'uploading', frozen: null, is_anonymous: false },
    });
    expect(bundle?.attributes['metadata']).toMatchObject({ exitcode: 3, time: 1.5 });
    expect(bundle?.attributes['metadata']).not.toMatchObject({ created: 5 });
    expect(bundle?.attributes['metadata']).not.toHaveProperty('data_size');
    expect(bundle?.attributes['metadata']).not.toHaveProperty('action_key');
    const again = await create([{ ...copied, id: uuid }], 'detached=1&wait_for_upload=1');
    expect(again.status).toBe(409);
  });

  it('drops generated keys of new bundles', async () => {
    const [bundle] = (await create([run({}, { exitcode: 3, actions: ['kill'] })])).data;

    expect(bundle?.attributes['metadata']).not.toHaveProperty('exitcode');
    expect(bundle?.attributes['metadata']).toMatchObject({ actions: [] });
  });

  it.each([
    ['no worksheet', [upload()], '', 400],
    ['no data', [], undefined, 400],
    ['an unknown worksheet', [upload()], `worksheet=${missing}`, 404],
    ['an unknown type', [upload({}, { bundle_type: 'table' })], undefined, 400],
    ['a malformed uuid', [{ ...upload(), id: '0x1' }], undefined, 400],
    [
      'a missing key',
      [{ type: 'bundles', attributes: { bundle_type: 'dataset', metadata: { name: 'x' } } }],
      undefined,
      400,
    ],
    ['an unexpected key', [upload({ color: 'red' })], undefined, 400],
    ['a wrong type', [upload({ tags: 'red' })], undefined, 400],
    ['an empty name', [upload({ name: '' })], undefined, 400],
    ['a bad name', [upload({ name: '1 x' })], undefined, 400],
    ['text that is not ASCII', [upload({ description: 'é' })], undefined, 400],
    ['a command that is not ASCII', [run({ command: 'é' })], undefined, 400],
    ['a malformed size', [run({}, { request_memory: 'much' })], undefined, 400],
    [
      'a key that climbs',
      [run({ dependencies: [{ child_path: '../x', parent_uuid: missing }] })],
      undefined,
      400,
    ],
    [
      'an empty key of a run',
      [run({ dependencies: [{ child_path: '', parent_uuid: missing }] })],
      undefined,
      400,
    ],
    [
      'a malformed parent',
      [run({ dependencies: [{ child_path: 'x', parent_uuid: '0x1' }] })],
      undefined,
      400,
    ],
    ['a bad place', [upload()], 'after_sort_key=x', 400],
    ['an unknown store', [upload()], `bundle_store=${missing}`, 404],
  ])('refuses %s, and creates nothing', async (_what, data, query, status) => {
    const before = await succeed(server, '/rest/bundles?keywords=.count', { as: 'root' });
    const full =
      query === undefined
        ? `worksheet=${worksheet}`
        : query.includes('worksheet') || query === ''
          ? query
          : `worksheet=${worksheet}&${query}`;

    const answer = await create(
      [upload({ name: 'innocent' }), ...data].slice(data.length === 0 ? 1 : 0),
      full,
    );

    expect(answer.status, answer.text).toBe(status);
    expect(await succeed(server, '/rest/bundles?keywords=.count', { as: 'root' })).toMatchObject({
      meta: before.meta,
    });
  });

  it('asks for everything on a worksheet that is not frozen', async () => {
    const sheet = await makeWorksheet(server, 'maria', 'icy');
    expect((await create([upload()], `worksheet=${sheet}`, 'jose')).status).toBe(403);
    expect(
      (await ask(server, `/rest/bundles?worksheet=${sheet}`, { method: 'POST', json: { data: [upload()] } }))
        .status,
    ).toBe(401);
    await succeed(server, '/rest/worksheets', {
      as: 'maria',
      method: 'PATCH',
      json: { data: [{ type: 'worksheets', id: sheet, attributes: { frozen: new Date().toISOString() } }] },
    });

    expect((await create([upload()], `worksheet=${sheet}`)).status).toBe(403);
  });

  it.each([
    ['time_quota', 'Out of time quota'],
    ['disk_quota', 'Out of disk quota'],
  ] as const)('refuses who has used up the %s', async (quota, message) => {
    const name = `poor_${quota}`;
    const { id } = await server.createUser({ name });
    await server.services.database.queries
      .updateTable('user')
      .set({ [quota]: 0 })
      .where('id', '=', id)
      .execute();

    const answer = await create([upload()], 'detached=1', name);

    expect(answer.status).toBe(400);
    expect(answer.text).toContain(message);
  });

  it('places bundles after a key, at the top, beside another, behind an empty line', async () => {
    const sheet = await makeWorksheet(server, 'maria', 'places');
    const [a, b] = (await create([upload({ name: 'a' }), upload({ name: 'b' })], `worksheet=${sheet}`)).data;
    const { included } = await succeed(server, `/rest/worksheets/${sheet}?include=items`, { as: 'maria' });
    const key = included[0]?.attributes['sort_key'];

    const [c, d] = (
      await create(
        [upload({ name: 'c' }), upload({ name: 'd' })],
        `worksheet=${sheet}&after_sort_key=${String(key)}`,
      )
    ).data;
    const [top] = (await create([upload({ name: 'top' })], `worksheet=${sheet}&after_sort_key=-1`)).data;
    const [image] = (await create([upload({ name: 'image' })], `worksheet=${sheet}&after_image=1`)).data;

    expect(await uuidsOn(sheet)).toEqual(
      [top, a, c, d, b].map((bundle) => bundle!.id).concat([null as never, image!.id]),
    );
  });

  it('inserts beside every occurrence of a shadowed bundle, only where the user may', async () => {
    const [mine, other] = [
      await makeWorksheet(server, 'maria', 'mine'),
      await makeWorksheet(server, 'jose', 'theirs'),
    ];
    const [original] = (await create([upload({ name: 'original' })], `worksheet=${mine}`)).data;
    const item = (uuid: string) => ({
      type: 'worksheet-items',
      attributes: { type: 'bundle' },
      relationships: { worksheet: { data: null }, bundle: { data: { type: 'bundles', id: uuid } } },
    });
    const add = (sheet: string, as: string) =>
      succeed(server, `/rest/worksheet-items?uuid=${sheet}`, {
        as,
        method: 'POST',
        json: { data: [item(original!.id)] },
      });
    await add(mine, 'maria');
    await add(other, 'jose');

    const [shadow] = (await create([upload({ name: 'shadow' })], `worksheet=${mine}&shadow=${original!.id}`))
      .data;

    expect(await uuidsOn(mine)).toEqual([original!.id, shadow!.id, original!.id, shadow!.id]);
    expect(await uuidsOn(other)).toEqual([original!.id]);
  });

  it('keeps many bundles inserted at one place in order', async () => {
    const sheet = await makeWorksheet(server, 'maria', 'dense');
    const [first] = (await create([upload({ name: 'first' })], `worksheet=${sheet}`)).data;
    await create([upload({ name: 'last' })], `worksheet=${sheet}`);
    const inserted: string[] = [];
    for (let count = 0; count < 15; count += 1) {
      inserted.unshift((await create([upload()], `worksheet=${sheet}&after_sort_key=1024`)).data[0]!.id);
    }

    const uuids = await uuidsOn(sheet);

    expect(uuids.slice(0, 16)).toEqual([first!.id, ...inserted]);
  });

  it('tells who waits for new bundles', async () => {
    const told: string[] = [];
    const stop = server.services.events.on('bundle.changed', (event) =>
      told.push(`${event.uuid} ${event.state}`),
    );

    const [bundle] = (await create([upload()])).data;
    stop();

    expect(told).toContain(`${bundle!.id} uploading`);
    await setBundle(server, bundle!.id, { state: 'ready' });
  });
});
