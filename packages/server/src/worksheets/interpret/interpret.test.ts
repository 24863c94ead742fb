import { expect, it } from 'vitest';
import type { ShownBundle } from './display.ts';
import { interpret, type SourceItem } from './interpret.ts';

const uuid = (digit: string) => `0x${digit.repeat(32)}`;

function bundle(digit: string, metadata: Record<string, unknown> = {}): ShownBundle {
  return {
    info: { uuid: uuid(digit), id: Number(digit), sort_key: Number(digit) },
    record: {
      uuid: uuid(digit),
      type: 'run',
      command: 'date',
      state: 'ready',
      metadata: {
        name: `b${digit}`,
        description: '',
        tags: ['x', 'y', 'z'],
        created: 0,
        data_size: 2048,
        ...(metadata as object),
      },
      dependencies: [],
      ownerName: 'maria',
      permission: 2,
    },
  };
}

/** `#text`, `%directive words`, or `@digit` for a bundle. */
function source(...lines: string[]): SourceItem[] {
  return lines.map((text, line): SourceItem => {
    const place = { line, id: 100 + line, sortKey: 1024 * (line + 1) };
    if (text.startsWith('@')) return { line, kind: 'bundle', bundle: bundle(text.slice(1)) };
    if (text.startsWith('%'))
      return {
        ...place,
        kind: 'directive',
        tokens: text
          .slice(1)
          .trim()
          .split(/ +/)
          .filter((word) => word !== ''),
      };
    return { ...place, kind: 'markup', text };
  });
}

const run = (...lines: string[]) => interpret(source(...lines), lines.length);
const modes = (...lines: string[]) => run(...lines).blocks.map((block) => block.mode);
const errors = (...lines: string[]) =>
  run(...lines).blocks.flatMap((block) => ('error' in block ? [block.text] : []));

it('joins lines of text to one block, split by everything else', () => {
  const { blocks, places } = run('a', 'b', '', 'c', '% ', 'd');

  expect(blocks.map((block) => ('text' in block ? block.text : ''))).toEqual(['a\nb', 'c', 'd']);
  expect(blocks[0]).toMatchObject({ ids: [100, 101], sort_keys: [1024, 2048] });
  expect(places).toEqual([[0, 0], [0, 0], null, [1, 0], null, [2, 0]]);
});

it('shows bundles one after another in one table', () => {
  const { blocks, places } = run('@1', '@2', '', '@3');

  expect(blocks).toMatchObject([
    {
      mode: 'table_block',
      header: ['uuid[0:8]', 'name', 'summary[0:1024]', 'data_size', 'state', 'description'],
      rows: [
        {
          'uuid[0:8]': '0x111111',
          name: 'b1',
          'summary[0:1024]': '! date',
          data_size: '2k',
          state: 'ready',
          description: '',
        },
        { name: 'b2' },
      ],
      using_schemas: ['default'],
      first_bundle_source_index: 0,
    },
    { mode: 'table_block', rows: [{ name: 'b3' }], first_bundle_source_index: 3 },
  ]);
  expect(places).toEqual([[0, 0], [0, 1], null, [1, 0]]);
});

it('applies a display to the bundles directly below only', () => {
  expect(modes('% display record name', '@1', '@2')).toEqual(['record_block', 'record_block']);
  expect(modes('% display hidden', '@1')).toEqual([]);
  expect(modes('% display record name', '', '@1')).toEqual(['table_block']);
  expect(modes('% display contents /a', '@1', '@2', 'text', '@3')).toEqual([
    'contents_block',
    'contents_block',
    'markup_block',
    'table_block',
  ]);
});

it('makes columns of schemas, fields, and files to be read', () => {
  const { blocks } = run(
    '% schema s',
    '% add Size data_size size',
    '% add /out:score',
    '% add tags',
    '% display table s owner:owner',
    '@1',
  );

  expect(blocks).toMatchObject([
    {
      mode: 'schema_block',
      schema_name: 's',
      field_rows: [{ field: 'Size', 'post-processor': 'size', from_schema_name: 's' }, {}, {}],
    },
    {
      mode: 'table_block',
      header: ['Size', 'score', 'tags', 'owner'],
      rows: [{ Size: '2k', score: [uuid('1'), '/out:score', null], tags: 'x y z', owner: 'maria' }],
    },
  ]);
});

it('copies the columns of another schema', () => {
  const { blocks } = run('% schema s', '% addschema run', '% add | created', '% display record s', '@1');

  expect(blocks[1]).toMatchObject({ mode: 'record_block', header: ['key', 'value'] });
  expect(blocks[1]).toMatchObject({ rows: expect.arrayContaining([{ key: '|:', value: 0 }]) as unknown });
});

it('describes files to be shown', () => {
  const { blocks } = run(
    '% display image /p.png width=10 height=x',
    '@1',
    '% display graph /c.tsv xlabel=t maxlines=7',
    '@2',
    '@3',
  );

  expect(blocks).toMatchObject([
    { mode: 'image_block', target_genpath: 'p.png', width: 10 },
    {
      mode: 'graph_block',
      max_lines: 7,
      xlabel: 't',
      trajectories: [{ display_name: 'b2', target_genpath: 'c.tsv' }, { display_name: 'b3' }],
    },
  ]);
  expect(blocks[0]).not.toHaveProperty('height');
});

it.each([
  [['% hi'], 'Error in source line 1: unknown directive `hi`'],
  [['', '% add x'], 'Error in source line 2: `add` must be preceded by `schema` directive'],
  [['% addschema x'], 'Error in source line 1: `addschema` must be preceded by `schema` directive'],
  [['% schema'], 'Error in source line 1: `schema` missing name'],
  [['% schema s', '% add'], 'Error in source line 2: Invalid number of arguments: []'],
  [['% schema s', '% addschema'], 'Error in source line 2: `addschema` missing name'],
  [['% display html /x', '@1'], 'Error in source line 1: Unknown display mode: html'],
  [
    ['% display contents', '@1'],
    "Error in source line 1: Expected '% display contents (genpath)', but got '% display contents'",
  ],
  [['% display contents x', '@1'], 'Error in source line 1: Not file genpath: x'],
  [['% display contents /x y', '@1'], 'Error in source line 1: Expected <key>=<value>, but got y'],
  [['% display contents /x maxlines=y', '@1'], 'Error in source line 1: maxlines must be integer'],
])('reports %j', (lines, message) => {
  expect(errors(...lines)).toEqual([message]);
});

it('begins the report of an unknown schema as clients expect', () => {
  expect(errors('% schema s', '% addschema nothing')[0]).toMatch(/^Unexpected error while parsing line 2/);
});

it('goes on behind an error, and loses nothing', () => {
  expect(modes('a', '% hi', '@1', 'b')).toEqual([
    'markup_block',
    'markup_block',
    'table_block',
    'markup_block',
  ]);
  expect(modes('% display html /x', '@1', 'b')).toEqual(['markup_block', 'markup_block']);
});
