import { describe, expect, it } from 'vitest';
import { descend, parseFileValue } from './file-value.ts';
import { genpathColumnName, parseGenpath, type Genpath } from './genpath.ts';
import { postProcess } from './post-process.ts';
import { formatNumber } from './printf.ts';
import { pythonText } from './python-text.ts';
import { recordValue, type BundleRecord } from './record-value.ts';
import type { GenpathValue } from './value.ts';

const corpus = `0x${'1'.repeat(32)}`;
const model = `0x${'2'.repeat(32)}`;

const run: BundleRecord = {
  uuid: `0x${'a'.repeat(32)}`,
  type: 'run',
  command: 'python t.py',
  state: 'ready',
  metadata: {
    name: 'r',
    request_cpus: 2,
    request_gpus: 0,
    request_memory: '4g',
    request_network: true,
    request_time: '',
  },
  dependencies: [
    { child_path: 'data', parent_uuid: corpus, parent_path: '', parent_name: 'corpus' },
    { child_path: 'model', parent_uuid: model, parent_path: 'best/w.bin', parent_name: 'model' },
  ],
  ownerName: 'alice',
  permission: 2,
  attributes: { state_details: 'fine', frozen: null, name: null },
};

function make(key: string): BundleRecord {
  const dependency = { child_path: key, parent_uuid: corpus, parent_path: 'sub', parent_name: 'corpus' };
  return { ...run, type: 'make', command: null, metadata: {}, dependencies: [dependency] };
}

function value(text: string, bundle: BundleRecord = run): GenpathValue {
  const genpath = parseGenpath(text);
  if (genpath.kind === 'file') throw new Error('a file genpath');
  return recordValue(genpath, bundle);
}

describe('genpaths of records', () => {
  it('show dependencies', () => {
    expect(value('dependencies')).toBe('data:corpus,:model/best/w.bin');
    expect(value('dependencies/data')).toBe('corpus');
    expect(value('dependencies/none')).toBe('<none>');
    expect(value('dependencies', make(''))).toBe('corpus/sub');
    expect(value('dependencies', { ...run, dependencies: [] })).toBe('');
  });

  it('show arguments and summaries', () => {
    expect(value('args')).toBe(
      `run data:${corpus} model:${model}/best/w.bin "python t.py" --request-cpus 2 --request-memory 4g --request-network`,
    );
    expect(value('summary')).toBe('! python t.py');
    expect(value('summary', make(''))).toBe('= corpus{0x11}');
    expect(value('summary', make('a'))).toBe('= a{corpus:0x11}');
    expect(value('summary', { ...run, type: 'dataset' })).toBe('[uploaded]');
    expect(value('summary', { ...run, type: 'dataset', state: 'uploading' })).toBe('');
    expect(value('summary', { ...run, command: 'x'.repeat(2000) })).toBe(`! ${'x'.repeat(1022)}...`);
  });

  it('show people and permissions', () => {
    expect(value('owner')).toBe('alice');
    expect(value('permission')).toBe('all');
    expect(value('host_worksheets')).toBeNull();
    expect(value('host_worksheets', { ...run, hostWorksheets: [{ name: 'w', uuid: '0x1' }] })).toBe('w(0x1)');
    const groupPermissions = [{ groupName: 'public', groupUuid: '0x9f8e7d6c', permission: 1 as const }];
    expect(value('group_permissions', { ...run, groupPermissions })).toBe('public(0x9f8e7d):read');
    expect(value('group_permissions', { ...run, groupPermissions: [] })).toBe('-');
  });

  it('fall back from attributes to metadata to nothing', () => {
    expect(value('uuid')).toBe(run.uuid);
    expect(value('bundle_type')).toBe('run');
    expect(value('state_details')).toBe('fine');
    expect(value('name')).toBe('r');
    expect(value('size')).toBeNull();
    expect(value('constructor')).toBeNull();
  });

  it('are taken apart', () => {
    const parsed: [string, Genpath][] = [
      ['/stats:train/err', { kind: 'file', path: 'stats', keys: ['train', 'err'] }],
      ['/a/b', { kind: 'file', path: 'a/b', keys: [] }],
      ['/', { kind: 'file', path: '', keys: [] }],
      ['dependencies/a/b', { kind: 'dependency', key: 'a/b' }],
      ['time', { kind: 'field', name: 'time' }],
    ];
    for (const [text, expected] of parsed) expect(parseGenpath(text)).toEqual(expected);
    expect(genpathColumnName('/stats:train/err')).toBe('err');
    expect(genpathColumnName('/s.json:acc')).toBe('acc');
    expect(genpathColumnName('dependencies/data')).toBe('data');
  });
});

describe('values of files', () => {
  it.each([
    ['acc\t0.9\nf1\t0.8\n', ['acc'], '0.9'],
    ['{"train":{"err":0.25}}', ['train', 'err'], 0.25],
    ['train:\n  err: 0.25\n', ['train', 'err'], 0.25],
    ['[10,20]', ['1'], 20],
    ['one\ntwo\n', [], 'one two'],
    ['3.50\n', [], 3.5],
    ['', [], ''],
    ['null\n', [], null],
    ['[10,20]', ['2'], null],
    ['[10,20]', ['-1'], null],
    ['{"a":1}', ['constructor'], null],
    ['{"a":1}', ['a', 'b'], null],
    [' a\tb \na\tc', ['a'], 'c'],
    ['{"a": NaN}', ['a'], 'NaN'],
    ['Note: this: is prose\n', [], 'Note: this: is prose\n'],
    ['day: 2024-05-31\n', ['day'], '2024-05-31'],
    ['*bold* text\n', [], '*bold* text\n'],
  ])('%j %j', (text, keys, expected) => {
    expect(descend(parseFileValue(text), keys)).toEqual(expected);
  });
});

describe('post-processors', () => {
  it.each<[GenpathValue, string, GenpathValue]>([
    [3500, 'size', '3.4k'],
    [500, 'size', '500 bytes'],
    [4125, 'size', '4.0k'],
    [100, 'duration', '1m40s'],
    [0.26, 'duration', '0.3s'],
    [1442513840, 'date', '2015-09-17 18:17:20'],
    [0.256, '%.2f', '0.26'],
    [0.12345, '%.3f', '0.123'],
    [12.34, '%.1f%%', '12.3%'],
    [3.7, '%d', '3'],
    ['0.9', '%.2f', '0.90'],
    ['abcdef', '[0:3]', 'abc'],
    ['abcdef', '[2:4]', 'cd'],
    ['abcdef', '[-3:]', 'def'],
    ['abcdef', '[:]', 'abcdef'],
    ['abcdef', '[5]', '<invalid function: [5]>'],
    [5, '[0:1]', 5],
    ['banana', 's/a/b', 'bbnbnb'],
    ['3/10', 's/(.+)\\/(.+)/\\2\\/\\1', '10/3'],
    ['aa', 's/a/b/', '<invalid regex: s/a/b/>'],
    ['0x1', 'key uuid | add path /stdout | add text log', { uuid: '0x1', path: '/stdout', text: 'log' }],
    ['x', 'key', 'x'],
    ['x', 'add a', 'x'],
    ['x', 'add a b', "arg (<class 'str'>) not a dictionary"],
    ['x', 'nonsense', '<invalid function: nonsense>'],
    [1.5, 'str', '1.5'],
    [true, 'str', 'True'],
    [['a', 'b'], 'str', "['a', 'b']"],
    ['abc', 'size | [0:1]', 'abc'],
    ['abc', '[0:2] | size | str', 'ab'],
    ['x', '', 'x'],
  ])('%j with %j', (given, post, expected) => {
    expect(postProcess(given, post)).toEqual(expected);
  });

  it('leave nothing as nothing', () => {
    for (const post of ['date', 'duration', 'size', '%.2f', '[0:1]', 's/a/b', 'str'])
      expect(postProcess(null, post)).toBeNull();
    expect(postProcess(5, null)).toBe(5);
  });

  it('format dates for a zone', () => {
    expect(postProcess(0, 'date', { offsetMinutes: 60 })).toBe('1970-01-01 01:00:00');
  });
});

describe('printf', () => {
  it.each<[string, number, string]>([
    ['%5.1f|', 3.14159, '  3.1|'],
    ['%-6d|', 42, '42    |'],
    ['%05d', -42, '-0042'],
    ['%+d', 5, '+5'],
    ['% d', 5, ' 5'],
    ['%e', 12345.678, '1.234568e+04'],
    ['%.2E', 0.00012, '1.20E-04'],
    ['%g', 0.0001, '0.0001'],
    ['%g', 1234567, '1.23457e+06'],
    ['%.3g', 3, '3'],
    ['%g', 100000, '100000'],
    ['%x', 255, 'ff'],
    ['%X', 255, 'FF'],
    ['%o', 8, '10'],
    ['%.0f', 2.5, '2'],
    ['%.1e', -5.25, '-5.2e+00'],
    ['%.0E', 6.5, '6E+00'],
    ['%.2g', 0.125, '0.12'],
    ['%f', 1e22, '10000000000000000000000.000000'],
    ['%d', 1e20, '100000000000000000000'],
    ['%05.1f', Number.POSITIVE_INFINITY, '  inf'],
  ])('%s of %d', (format, given, expected) => {
    expect(formatNumber(format, given)).toEqual({ ok: true, value: expected });
  });

  it.each(['%', '%s', 'none', '%d %d', '%.2f%', '%%'])('refuses %j', (format) => {
    expect(formatNumber(format, 1)).toMatchObject({ ok: false });
  });
});

describe('Python texts', () => {
  it.each<[GenpathValue, string]>([
    ['plain', 'plain'],
    [[], '[]'],
    [['write\tmessage\thello'], "['write\\tmessage\\thello']"],
    [["it's", 'a"b', `'"`, '\\', '\x01'], `["it's", 'a"b', '\\'"', '\\\\', '\\x01']`],
    [{ a: [1, null, false] }, "{'a': [1, None, False]}"],
    [null, 'None'],
  ])('%j', (given, expected) => {
    expect(pythonText(given)).toBe(expected);
  });
});
