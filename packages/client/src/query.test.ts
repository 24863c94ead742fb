import { expect, test } from 'vitest';
import { encodePath, encodeQuery } from './query.ts';

test('lists are repeated, booleans are numbers, and what is undefined is left out', () => {
  expect(
    encodeQuery({ specs: ['a', 'b^'], force: true, dry: false, worksheet: undefined, base: '', n: 3 }),
  ).toBe('?specs=a&specs=b%5E&force=1&dry=0&base=&n=3');
  expect(encodeQuery({ a: undefined })).toBe('');
});

test('paths keep their slashes and nothing else', () => {
  expect(encodePath('a b/c?d/é')).toBe('a%20b/c%3Fd/%C3%A9');
});
