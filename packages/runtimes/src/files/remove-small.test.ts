import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { removeIfSmall } from './remove-small.ts';

let place: string;
let tree: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'sheaf-small-'));
  tree = join(place, 'tree');
  mkdirSync(join(tree, 'a/b'), { recursive: true });
  writeFileSync(join(tree, 'a/b/file'), 'text');
});
afterEach(() => rmSync(place, { recursive: true }));

it('a small tree is gone at once, and what its links lead to is still there', () => {
  writeFileSync(join(place, 'kept'), '');
  symlinkSync(join(place, 'kept'), join(tree, 'a/link'));
  symlinkSync(place, join(tree, 'a/upwards'));

  expect(removeIfSmall(tree)).toBe(true);

  expect([existsSync(tree), existsSync(join(place, 'kept'))]).toEqual([false, true]);
});

it('where nothing is, nothing is left', () => {
  expect(removeIfSmall(join(place, 'nothing'))).toBe(true);
});

it('many files, or a large one, are for somebody with more time', () => {
  const many = join(place, 'many');
  mkdirSync(many);
  for (let number = 0; number < 200; number += 1) writeFileSync(join(many, String(number)), '');
  truncateSync(join(tree, 'a/b/file'), 1024 ** 3);

  expect([removeIfSmall(many), removeIfSmall(tree)]).toEqual([false, false]);

  expect([existsSync(many), existsSync(join(tree, 'a/b/file'))]).toEqual([true, true]);
});

it('what cannot be removed is not said to be gone', () => {
  // Deeper than a path may lead: nothing is wrong with it but its length.
  expect(removeIfSmall(`${tree}/${'long/'.repeat(2000)}`)).toBe(false);
});
