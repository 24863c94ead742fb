import { expect, it } from 'vitest';
import { contentTypeOf } from './content-type.ts';

it.each([
  ['a.txt', 'text/plain'],
  ['README', 'text/plain'],
  ['.html', 'text/plain'],
  ['x.constructor', 'text/plain'],
  ['page.HTML', 'text/html'],
  ['data.json', 'application/json'],
  ['a.tar.gz', 'application/octet-stream'],
  ['a.csv.gz', 'application/octet-stream'],
  ['a.tgz', 'application/octet-stream'],
  ['a.Z', 'application/octet-stream'],
  ['a.zip', 'application/zip'],
])('%s is %s', (name, type) => {
  expect(contentTypeOf(name)).toBe(type);
});
