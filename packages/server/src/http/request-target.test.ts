import fc from 'fast-check';
import { expect, it } from 'vitest';
import { rewriteTarget } from './request-target.ts';

it.each([
  ['/rest/user', '/rest/user'],
  [
    'http://host:2900/rest/bundles/0x1/contents/blob/?filename=a.txt',
    '/rest/bundles/0x1/contents/blob/?filename=a.txt',
  ],
  ['https://host', '/'],
  ['http://host?x=1', '/?x=1'],
  ['/rest/bundles/0x1/contents/info/100%zz%4', '/rest/bundles/0x1/contents/info/100%25zz%254'],
  ['/a%20b?c=%zz', '/a%20b?c=%zz'],
  ['//rest/oauth2/token', '//rest/oauth2/token'],
])('reads %s as %s', (target, path) => {
  expect(rewriteTarget(target)).toBe(path);
});

it('makes every path one that can be decoded, and leaves encoded ones as they are', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '%', '/', '2', 'F', 'z') }), (text) => {
      const path = rewriteTarget(`/${text}`);

      expect(path).not.toMatch(/%(?![0-9a-fA-F]{2})/);
      expect(rewriteTarget(path)).toBe(path);
    }),
  );
});
