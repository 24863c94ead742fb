import { expect, it } from 'vitest';
import { directiveLine, readLine } from './lines.ts';

const uuid = `0x${'a'.repeat(32)}`;

it.each([
  ['', { kind: 'markup', text: '' }],
  ['# {x}', { kind: 'markup', text: '# {x}' }],
  ['[text](url)', { kind: 'markup', text: '[text](url)' }],
  ['{', { kind: 'markup', text: '{' }],
  [' // x', { kind: 'markup', text: ' // x' }],
  ['// draft', { kind: 'directive', text: "% ' draft'" }],
  ['//', { kind: 'directive', text: "% ''" }],
  ['%foo', { kind: 'directive', text: 'foo' }],
  ['    % x', { kind: 'directive', text: 'x' }],
  ['%', { kind: 'directive', text: '' }],
  ['% add "dataset size" data_size size', { kind: 'directive', text: "add 'dataset size' data_size size" }],
  [`[run x : y]{${uuid}}`, { kind: 'bundle', spec: uuid }],
  ['{}', { kind: 'bundle', spec: '' }],
  ['  {name^2} ', { kind: 'bundle', spec: 'name^2' }],
  ['[worksheet x]{{home}}', { kind: 'worksheet', spec: 'home' }],
  ["% it’s '", { kind: 'problem', problem: 'No closing quotation' }],
])('reads %j', (line, expected) => {
  expect(readLine(line)).toEqual(expected);
});

it.each([
  ["display image '/a b.png'", "% display image '/a b.png'"],
  ["% ' draft'", '// draft'],
  ["% ''", '//'],
  ['', '%'],
])('shows the directive %j as %j', (value, line) => {
  expect(directiveLine(value)).toBe(line);
});

it.each(['% display table run', '// a comment', '%', "% add '|'"])('keeps %j as it is', (line) => {
  const read = readLine(line);

  expect(read.kind === 'directive' ? directiveLine(read.text) : undefined).toBe(line);
});
