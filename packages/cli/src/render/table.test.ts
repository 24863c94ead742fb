import { expect, test } from 'vitest';
import { renderTable } from './table.ts';

test('columns are as wide as their longest cell; trailing blanks stay', () => {
  const rows = [
    ['^2', 'a.txt', '12 bytes', 'ready'],
    ['^1', 'run-python', '', 'staged'],
  ];
  expect(renderTable(['ref', 'name', 'data_size', 'state'], rows, { right: ['ref', 'data_size'] })).toEqual([
    'ref  name        data_size  state ',
    '----------------------------------',
    ' ^2  a.txt        12 bytes  ready ',
    ' ^1  run-python             staged',
  ]);
});

test('an empty table has its header and dashes', () => {
  expect(renderTable(['a', 'bb'], [])).toEqual(['a  bb', '-----']);
});

test('without a header the dashes stay, and lines can be indented', () => {
  expect(renderTable(['key', 'value'], [['k', 'v']], { header: false, indent: 2 })).toEqual([
    '  ----',
    '  k  v',
  ]);
});

test('widths count characters, not units of their encoding', () => {
  expect(renderTable(['a'], [['😀'], ['xy']])).toEqual(['a ', '--', '😀 ', 'xy']);
});
