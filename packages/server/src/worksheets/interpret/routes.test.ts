import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBundle } from '../../runs/testing/bundles.ts';
import { allowOn, ask, makeWorksheet, succeed } from '../../testing/records.ts';
import { databases, startTestServer, type TestServer } from '../../testing/test-server.ts';

interface Interpretation {
  source: string[];
  blocks: {
    mode: string;
    text?: string;
    error?: boolean;
    rows?: Record<string, unknown>[];
    [key: string]: unknown;
  }[];
  raw_to_block: ([number, number] | null)[];
  block_to_raw: Record<string, number>;
  owner_name: string | null;
  edit_permission: boolean;
  date_created: string;
}

describe.each(databases)('reading worksheets on %s', (database) => {
  let server: TestServer;
  let worksheet: string;
  let data: string;
  let secret: string;
  beforeAll(async () => {
    server = await startTestServer({ database });
    worksheet = await makeWorksheet(server, 'maria', 'paper');
    data = await createBundle(server, {
      as: 'maria',
      type: 'dataset',
      query: `detached=0&worksheet=${worksheet}`,
      metadata: { name: 'stats.json' },
    });
    await server.fetch(`/rest/bundles/${data}/contents/blob/?filename=stats.json&unpack=0`, {
      as: 'maria',
      method: 'PUT',
      body: '{"err": 0.25, "names": ["a", "b"]}\n',
    });
    secret = await createBundle(server, { as: 'jose', type: 'dataset', metadata: { name: 'hidden' } });
  });
  afterAll(() => server.close());

  const save = (lines: string[], as = 'maria', query = '') =>
    ask(server, `/rest/worksheets/${worksheet}/raw${query}`, {
      as,
      method: 'POST',
      body: lines.join('\n'),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
  const read = async (as?: string) => {
    const response = await server.fetch(
      `/rest/interpret/worksheet/${worksheet}`,
      as === undefined ? {} : { as },
    );
    expect(response.status).toBe(200);
    return (await response.json()) as Interpretation;
  };
  const post = async (path: string, json: unknown, as = 'maria') => {
    const response = await server.fetch(`/rest/interpret/${path}`, { as, method: 'POST', json });
    const text = await response.text();
    return {
      status: response.status,
      text,
      body: (response.ok ? JSON.parse(text) : {}) as Record<string, unknown>,
    };
  };

  it('saves text and gives it back', async () => {
    const other = await makeWorksheet(server, 'maria', 'other');
    const lines = [
      '# Grüße 🌍',
      '',
      `{stats.json}`,
      '[x]{{other}}',
      '[x]{{nowhere}}',
      '% display  table "run"',
      '// note',
    ];

    const saved = await save(lines);
    const { source } = await read('maria');
    const raw = await server.fetch(`/rest/worksheets/${worksheet}/raw`, { as: 'jose' });

    expect(saved).toMatchObject({ status: 204, text: '' });
    expect(source).toEqual([
      '# Grüße 🌍',
      '',
      `[dataset stats.json]{${data}}`,
      `[worksheet other]{{${other}}}`,
      "No worksheet found with name 'nowhere': [x]{{nowhere}}",
      '% display table run',
      '// note',
    ]);
    expect(await raw.text()).toBe(source.join('\n'));
    await save(source);
    expect((await read('maria')).source).toEqual(source);
  });

  it.each([
    [['{nothing}'], 404],
    [['{}'], 400],
    [['{a b}'], 400],
    [["% it's"], 400],
  ])('refuses %j, and changes nothing', async (lines, status) => {
    const before = (await read('maria')).source;

    expect((await save(['x', ...lines])).status).toBe(status);
    expect((await read('maria')).source).toEqual(before);
  });

  it('lets only those save who may, and notices what happened meanwhile where told the base', async () => {
    expect((await save(['x'], 'jose')).status).toBe(403);
    const { data: resources } = await succeed(server, `/rest/worksheets/${worksheet}?include=items`, {
      as: 'maria',
    });
    const last = resources[0]?.attributes['last_item_id'];
    expect((await save(['a', 'b'], 'maria', `?base_last_item_id=${String(last)}`)).status).toBe(204);
    const stale = await save(['c'], 'maria', `?base_last_item_id=${String(last)}`);
    expect(stale.status).toBe(400);
    expect(stale.text).toBe(`Worksheet(uuid='${worksheet}', name='paper') was updated concurrently!`);
  });

  it('keeps the ids of lines that stay', async () => {
    const ids = async () =>
      (await succeed(server, `/rest/worksheets/${worksheet}?include=items`, { as: 'maria' })).included.map(
        ({ id, attributes }) => [attributes['value'], id],
      );
    await save(['a', 'b', 'c', 'd']);
    const before = new Map((await ids()) as [string, string][]);
    await save(['a', 'x', 'y', 'c', 'd']);
    const after = new Map((await ids()) as [string, string][]);

    expect([...after.keys()]).toEqual(['a', 'x', 'y', 'c', 'd']);
    for (const line of ['a', 'c', 'd']) expect(after.get(line)).toBe(before.get(line));
  });

  it('shows text, tables with values from files, worksheets, and what searches find', async () => {
    await save([
      '% schema s',
      '% add err /:err %.1f',
      '% add first /:names/1',
      'Errors:',
      '% display table name s',
      `{${data}}`,
      '',
      '% display record first:first s',
      '% search name=stats.json',
      '{{other}}',
      'How many:',
      '% search name=stats.json .count',
      '% wsearch name=other',
    ]);

    const { blocks, raw_to_block: places, ...rest } = await read('maria');

    expect(blocks).toMatchObject([
      { mode: 'schema_block' },
      { mode: 'markup_block', text: 'Errors:' },
      {
        mode: 'table_block',
        rows: [{ name: 'stats.json', err: '0.2', first: 'b' }],
        status: { code: 'ready' },
      },
      {
        mode: 'record_block',
        rows: [{ key: 'first:' }, { key: 'err:', value: '0.2' }, { key: 'first:', value: 'b' }],
        sort_keys: [null],
      },
      { mode: 'subworksheets_block', subworksheet_infos: [{ name: 'other' }] },
      { mode: 'markup_block', text: 'How many:\n1' },
      { mode: 'subworksheets_block' },
    ]);
    const shown = [0, 1, 1, 1, 2, 2, 3, 3, 3, 4, 5, 5, 6];
    expect(places).toEqual(shown.map((block) => [block, 0]));
    expect(rest.block_to_raw).toMatchObject({ '1,0': 3, '2,0': 5, '5,0': 11 });
    expect(rest).toMatchObject({
      owner_name: 'maria',
      edit_permission: true,
      date_created: expect.not.stringContaining('+') as string,
    });
  });

  it('shows contents, pictures and curves', async () => {
    await save([
      '% display contents / maxlines=1',
      `{${data}}`,
      '% display image /',
      `{${data}}`,
      '% display graph /',
      `{${data}}`,
      '% display contents /none',
      `{${data}}`,
    ]);

    const { blocks } = await read('maria');

    expect(blocks).toMatchObject([
      {
        mode: 'contents_block',
        lines: ['{"err": 0.25, "names": ["a", "b"]}\n'],
        max_lines: 1,
        target_genpath: '',
      },
      {
        mode: 'image_block',
        image_data: Buffer.from('{"err": 0.25, "names": ["a", "b"]}\n').toString('base64'),
      },
      { mode: 'graph_block', trajectories: [{ points: [['{"err": 0.25, "names": ["a", "b"]}\n']] }] },
      { mode: 'contents_block', lines: null, status: { code: 'not_found' } },
    ]);
  });

  it('hides what the viewer may not read, bundle by bundle', async () => {
    await save([
      `{${secret}}`,
      `{0x${'9'.repeat(32)}}`,
      '% display table score:/:x',
      `{${secret}}`,
      '% display contents /',
      `{${secret}}`,
    ]);

    const { blocks } = await read('maria');

    expect(blocks).toMatchObject([
      {
        rows: [
          { name: '<private>', state: null },
          { name: '<invalid>', 'uuid[0:8]': '0x999999' },
        ],
      },
      { rows: [{ score: ['Forbidden'] }] },
      {
        mode: 'markup_block',
        error: true,
        text: expect.stringMatching(/^ERROR: .*sufficient permissions/) as string,
      },
    ]);
    expect(JSON.stringify(blocks)).not.toContain('hidden');
  });

  it('reports errors in their place', async () => {
    await save(['% search .limit=x', '% hi', 'text']);

    const { blocks } = await read('maria');

    expect(blocks).toMatchObject([
      { error: true, text: expect.stringMatching(/^Error in source line 1: /) as string },
      { error: true, text: 'Error in source line 2: unknown directive `hi`' },
      { text: 'text' },
    ]);
  });

  it('fills in cells of tables, leaving everything else as it is', async () => {
    const rows = [
      { a: [data, '/:err', null], b: ['x', 'y', 'z'], c: null, d: 1 },
      { a: [data, '/none', '%.1f'] },
    ];

    const { body } = await post('genpath-table-contents', { contents: rows });

    expect(body['contents']).toEqual([{ a: 0.25, b: ['x', 'y', 'z'], c: null, d: 1 }, { a: null }]);
    expect((await post('genpath-table-contents', { contents: body['contents'] })).body['contents']).toEqual(
      body['contents'],
    );
    expect((await post('genpath-table-contents', {})).status).toBe(400);
    expect((await server.fetch('/rest/interpret/genpath-table-contents', { method: 'POST' })).status).toBe(
      400,
    );
  });

  it('answers values of files', async () => {
    const query = (genpath: string, post_: string | null = null, uuid = data) => ({
      bundle_uuid: uuid,
      genpath,
      post: post_,
    });

    const { body } = await post('file-genpaths', {
      queries: [query('/:err', '%.3f'), query('/:names'), query('/:no'), query('/', null, secret)],
    });

    expect(body['data']).toEqual(['0.250', ['a', 'b'], null, ['Forbidden']]);
    expect(await post('file-genpaths', { queries: [query('name')] })).toMatchObject({
      status: 400,
      text: 'Not file genpath: name',
    });
  });

  it('searches for pages', async () => {
    expect((await post('search', { keywords: ['name=stats.json', '.count'] })).body['response']).toEqual({
      result: 1,
      is_aggregate: true,
    });
    expect((await post('search', { keywords: ['name=stats.json'] })).body['response']).toEqual({
      result: [data],
      is_aggregate: false,
    });
    expect((await post('search', {})).text).toContain('Missing `keywords`');
    expect((await post('wsearch', { keywords: ['name=paper'] })).body['response']).toMatchObject([
      { uuid: worksheet, owner_name: 'maria', group_permissions: [{ group_name: 'public', permission: 1 }] },
    ]);
  });

  it('is closed to those who may not read it', async () => {
    const publicGroup = (await succeed(server, '/rest/groups/public', { as: 'maria' })).data[0]!.id;
    await allowOn(server, 'worksheet', 'maria', worksheet, publicGroup, 0);

    expect((await server.fetch(`/rest/interpret/worksheet/${worksheet}`, { as: 'jose' })).status).toBe(403);
    expect((await server.fetch(`/rest/worksheets/${worksheet}/raw`, { as: 'jose' })).status).toBe(403);
    expect((await server.fetch(`/rest/interpret/worksheet/0x${'0'.repeat(32)}`, { as: 'jose' })).status).toBe(
      404,
    );
  });
});
