import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBundle } from '../../runs/testing/bundles.ts';
import { allowOn, ask, makeGroup, makeWorksheet, setBundle, succeed } from '../../testing/records.ts';
import { databases, startTestServer, type TestServer } from '../../testing/test-server.ts';

describe.each(databases)('searching bundles on %s', (database) => {
  let server: TestServer;
  let worksheet: string;
  const uuids: Record<string, string> = {};
  const make = async (name: string, more: Parameters<typeof createBundle>[1] = {}) => {
    const given = { as: 'maria', type: 'dataset', ...more, metadata: { name, ...more.metadata } } as const;
    uuids[name] = await createBundle(server, given);
    return uuids[name];
  };
  const search = async (keywords: string[], as: string | undefined = 'maria') => {
    const text = keywords.map((word) => `keywords=${encodeURIComponent(word)}`).join('&');
    return await ask(server, `/rest/bundles?worksheet=None&${text}`, as === '' ? {} : { as });
  };
  const names = async (keywords: string[], as?: string) => {
    const answer = await search(keywords, as);
    expect(answer.status, answer.text).toBe(200);
    return answer.data.map((bundle) => (bundle.attributes['metadata'] as { name: string }).name);
  };
  const value = async (keywords: string[], as?: string) => {
    const answer = await search(keywords, as);
    expect(answer.text).not.toContain('"data"');
    return answer.meta['result'];
  };
  beforeAll(async () => {
    server = await startTestServer({ database });
    worksheet = await makeWorksheet(server, 'maria', 'sheet');
    await makeGroup(server, 'maria', 'lab', ['jose']);
    const onSheet = `detached=0&worksheet=${worksheet}`;
    const corpus = await make('corpus', {
      query: onSheet,
      metadata: { tags: ['red', 'blue'], description: 'the whole text' },
    });
    const words = await make('words', { query: onSheet, metadata: { tags: ['reddish'] } });
    await make('Count_1', {
      type: 'run',
      command: 'wc -w data',
      dependencies: [{ child_path: 'data', parent_uuid: corpus }],
    });
    await make('countX1', {
      type: 'run',
      command: 'true',
      metadata: { request_memory: '10g', request_cpus: 12, request_network: false },
      dependencies: [
        { child_path: 'data', parent_uuid: corpus },
        { child_path: 'words', parent_uuid: words },
      ],
    });
    await make('joses', { as: 'jose' });
    await make('lent', { as: 'jose' });
    const jose = await makeGroup(server, 'jose', 'borrowers', ['maria']);
    await allowOn(server, 'bundle', 'jose', uuids['lent']!, jose, 1);
    await setBundle(server, corpus, { state: 'ready', size: 2000 });
    await setBundle(server, words, { state: 'ready', size: 300 });
  });
  afterAll(() => server.close());

  it.each<[string[], string[]]>([
    [['corpus'], ['corpus']],
    [['ORPU'], ['corpus']],
    [['c.*u'], ['corpus', 'Count_1', 'countX1']],
    [['name=count_1'], ['Count_1']],
    [['name=count%'], ['Count_1', 'countX1']],
    [['name=corpus,words'], ['corpus', 'words']],
    [['name=orpus'], []],
    [['=whole text'], ['corpus']],
    [['=wc -w'], ['Count_1']],
    [['=blue'], ['corpus']],
    [['tags=red'], ['corpus']],
    [['tags=red.*'], ['corpus', 'words']],
    [['request_network=False'], ['countX1']],
    [['request_cpus=12'], ['countX1']],
    [['command=TRUE'], ['countX1']],
    [['type=run'], ['Count_1', 'countX1']],
    [['state=ready'], ['corpus', 'words']],
    [
      ['state=READY', 'type=dataset'],
      ['corpus', 'words'],
    ],
    [['.floating'], ['Count_1', 'countX1', 'lent']],
    [['.shared'], ['lent']],
    [
      ['.mine', '.floating'],
      ['Count_1', 'countX1'],
    ],
    [['owner=Jose'], ['lent']],
    [['owner=maria,jose', 'name=l.*'], ['lent']],
    [['owner=nobody'], []],
    [['color=red'], []],
    [
      ['name=.sort-', 'state=ready'],
      ['words', 'corpus'],
    ],
    [
      ['size=.sort', 'state=ready'],
      ['words', 'corpus'],
    ],
    [
      ['id=.sort-', '.limit=2'],
      ['lent', 'countX1'],
    ],
    [['.last', '.limit=1', '.offset=1'], ['countX1']],
    [['request_cpus=.sort'], ['Count_1', 'countX1']],
    [['created=.sort', '.mine', '.limit=1'], ['corpus']],
    [['.limit=0'], []],
    [['.before=2000-01-01'], []],
    [['.after=2000-01-01', 'corpus'], ['corpus']],
  ])('%j', async (keywords, expected) => {
    const found = await names(keywords);

    const sorts = keywords.some((word) => word.includes('.sort') || word === '.last');
    expect(sorts ? found : found.toSorted()).toEqual(sorts ? expected : expected.toSorted());
  });

  it('finds by relations, each term by itself', async () => {
    expect(await names([`dependency=${uuids['corpus']}`])).toEqual(['Count_1', 'countX1']);
    expect(await names([`dependency/words=${uuids['words']}`])).toEqual(['countX1']);
    expect(await names([`dependency/other=${uuids['words']}`])).toEqual([]);
    expect(await names([`dependency=${uuids['corpus']}`, `dependency=${uuids['words']}`])).toEqual([
      'countX1',
    ]);
    expect(await names([`worksheet=${worksheet}`])).toEqual(['corpus', 'words']);
    expect(await names([`uuid=${uuids['words']}`])).toEqual(['words']);
    expect(await names([`uuid=${uuids['words']!.slice(0, 12)}`])).toEqual([]);
    expect(await names([`uuid=${uuids['words']!.slice(0, 12)}.*`])).toEqual(['words']);
    expect(await names(['.shared', 'group=borrowers'])).toEqual(['lent']);
    expect(await names(['group=public'])).toEqual(['corpus', 'words']);
    expect((await search(['group=unknown'])).status).toBe(404);
    expect((await search(['group=lab'], '')).status).toBe(404);
  });

  it('counts and sums what it would find', async () => {
    expect(await value(['.mine', '.count'])).toBe(4);
    expect(await value(['.mine', '.count', '.limit=3'])).toBe(3);
    expect(await value(['.limit=1', '.mine', '.count'])).toBe(4);
    expect(await value(['.mine', 'size=.sum'])).toBe(2300);
    expect(await value(['.mine', 'data_size=.sum', '.format=size'])).toBe('2.2k');
    expect(await value(['.mine', 'request_cpus=.sum'])).toBe(13);
    expect(await value(['name=nothing', 'size=.sum'])).toBeNull();
  });

  it('shows each viewer what he may read, own private bundles included', async () => {
    expect((await names(['', '.limit=100'], 'root')).length).toBe(6);
    expect((await names([''])).toSorted()).toEqual(
      ['Count_1', 'corpus', 'countX1', 'lent', 'words'].toSorted(),
    );
    expect((await names([''], 'jose')).toSorted()).toEqual(['corpus', 'joses', 'lent', 'words'].toSorted());
    expect((await names([''], '')).toSorted()).toEqual(['corpus', 'words']);
    expect(await names(['.mine'], '')).toEqual([]);
    expect(await value(['.count'], '')).toBe(2);
  });

  it('does not tell whose an anonymous bundle is', async () => {
    const json = { data: [{ type: 'bundles', id: uuids['corpus'], attributes: { is_anonymous: true } }] };
    await succeed(server, '/rest/bundles', { as: 'maria', method: 'PATCH', json });

    expect(await names(['owner=maria'], 'jose')).toEqual(['words']);
    expect((await names(['owner=maria', 'state=ready'])).toSorted()).toEqual(['corpus', 'words']);
  });

  it.each([['.limit=x'], ['.offset=-1'], ['.before=yesterday']])('refuses %s', async (keyword) => {
    expect((await search([keyword])).status).toBe(400);
  });
});
