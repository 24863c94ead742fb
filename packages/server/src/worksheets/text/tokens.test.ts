import fc from 'fast-check';
import { expect, it } from 'vitest';
import { joinTokens, splitTokens } from './tokens.ts';

it.each([
  ['display  image "/a b.png"', ['display', 'image', '/a b.png']],
  ['add |', ['add', '|']],
  ['a"b c"d', ['ab cd']],
  ["''", ['']],
  ['', []],
  [' \t', []],
  ['a # b', ['a', '#', 'b']],
  ['s/(.+)\\/x', ['s/(.+)/x']],
  [String.raw`"a\"b\\c\d"`, [String.raw`a"b\c\d`]],
  [String.raw`'a\'`, ['a\\']],
])('splits %j', (text, tokens) => {
  expect(splitTokens(text)).toEqual({ ok: true, value: tokens });
});

it.each(["it's", '"open', 'end\\'])('refuses %j', (text) => {
  expect(splitTokens(text).ok).toBe(false);
});

it.each([
  [['display', 'image', '/a b.png'], "display image '/a b.png'"],
  [['add', '|'], "add '|'"],
  [['%', ' draft'], "% ' draft'"],
  [['%', ''], "% ''"],
  [["it's"], `'it'"'"'s'`],
])('joins %j', (tokens, text) => {
  expect(joinTokens(tokens)).toBe(text);
});

it('reads what it wrote', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), (tokens) => {
      expect(splitTokens(joinTokens(tokens))).toEqual({ ok: true, value: tokens });
    }),
  );
});
