import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GenpathValue } from '../value.ts';
import { parseYaml } from './blocks.ts';

describe('YAML', () => {
  it.each<[string, GenpathValue]>([
    ['a: 1\nb: two words\n', { a: 1, b: 'two words' }],
    ['a:\n  b:\n    c: .5\n  d: -1e-3\n', { a: { b: { c: 0.5 }, d: -0.001 } }],
    ['- 1\n- two\n-\n  - x\n- a: 1\n  b: 2\n', [1, 'two', ['x'], { a: 1, b: 2 }]],
    ['a:\n- 1\n- 2\nb: ~\n', { a: [1, 2], b: null }],
    ['- - 1\n  - 2\n', [[1, 2]]],
    ['a: [1, x y, "q,"]\nb: {c: d, e: [f]}\n', { a: [1, 'x y', 'q,'], b: { c: 'd', e: ['f'] } }],
    ['a: [1,\n  2]\n', { a: [1, 2] }],
    ["\"k: 1\": 'it''s'\n", { 'k: 1': "it's" }],
    ['a: "x\\ty\\u00e9"\n', { a: 'x\tyé' }],
    ['# top\na: 1 # one\n\n# end\n', { a: 1 }],
    ['---\na: true\n...\n', { a: true }],
    ['a: |\n  one\n   two\n\n  three\nb: 1\n', { a: 'one\n two\n\nthree\n', b: 1 }],
    ['a: >-\n  one\n  two\n\n  three\n', { a: 'one two\nthree' }],
    ['a: one\n  two\nb: c\n', { a: 'one two', b: 'c' }],
    ['one\ntwo\n\nthree\n', 'one two\nthree'],
    ['a:\nb:\n', { a: null, b: null }],
    ['url: http://x/y#z\n', { url: 'http://x/y#z' }],
    ['time: 12:30:05\n', { time: '12:30:05' }],
    ['a: 0x1F\nb: 12345678901234567890\n', { a: 31, b: '12345678901234567890' }],
    ['__proto__: 1\n', JSON.parse('{"__proto__": 1}') as GenpathValue],
    ['[]', []],
  ])('%j', (text, expected) => {
    expect(parseYaml(text)).toEqual(expected);
  });

  it.each([
    'a: b: c',
    '&x a',
    '*x',
    '!t a',
    '- a\nb: 1',
    'a: 1\n  b: 2',
    '\ta: 1',
    '[1',
    '"x',
    'a: "x" y',
    'a: 1\n---\nb: 2',
    '{a',
    `${'- '.repeat(500)}x`,
    '['.repeat(500),
  ])('leaves %j as text', (text) => {
    expect(parseYaml(text)).toBeUndefined();
  });

  it('reads any JSON written on one line, since that is YAML', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 3, noUnicodeString: true }), (json) => {
        // Numbers beyond what is exact stay text.
        fc.pre(/^[[{]/.test(json) && !/\\u|\d{16}/.test(json));
        const expected = JSON.parse(json) as GenpathValue;
        expect(parseYaml(json)).toEqual(expected);
      }),
    );
  });

  it('never fails on any text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'ab:- \n[]{},\'"#|>&~1.'.split('')), maxLength: 30 }),
        (text) => {
          parseYaml(text);
        },
      ),
      { numRuns: 3000 },
    );
  });
});
