import { expect, it } from 'vitest';
import { patternOf } from './not-found.ts';

it.each([
  ['/rest/bundles', '/rest/bundles', true],
  ['/rest/bundles', '/rest/bundles/', false],
  ['/rest/bundles/:uuid/locations/', '/rest/bundles/0x1/locations/', true],
  ['/rest/bundles/:uuid/locations/', '/rest/bundles/0x1/locations', false],
  ['/rest/bundles/:uuid/contents/blob/*', '/rest/bundles/0x1/contents/blob/a/b', true],
  ['/rest/a.b', '/rest/axb', false],
])('%s and %s: %s', (route, path, matches) => {
  expect(patternOf(route).test(path)).toBe(matches);
});
