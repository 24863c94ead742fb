import { eventually } from '@sheaf/testkit';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CacheIndex } from './cache-index.ts';
import { readIndex, type CachedEntry } from './index-file.ts';

let directory: string;
let path: string;
let lines: string[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sheaf-index-'));
  path = join(directory, 'index.json');
  lines = [];
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const note = (_: object, text: string): void => void lines.push(text);
const log = { debug: note, info: note, warn: note, error: note };
const entry = (): CachedEntry => ({
  entry: { kind: 'file', digest: 'a'.repeat(64), size: 1, executable: false },
  usedAt: 1,
  keys: [],
  fingerprint: null,
});
const cannot = 'the list of cached dependencies cannot be saved';

it('says once that it cannot be saved, and is saved by itself when it can be', async () => {
  // Nothing can be written to a file whose name a directory has.
  mkdirSync(`${path}.tmp`);
  const index = await CacheIndex.open(path, log, 5);
  for (let count = 0; count < 20; count += 1) {
    index.entries.set(`${count}.file`, entry());
    index.saveLater();
    await index.settle();
  }
  expect(lines).toEqual([cannot]);

  rmSync(`${path}.tmp`, { recursive: true });

  await eventually('the list', async () => (await readIndex(path)).size === 20 || undefined);
  await index.settle();
  expect(lines).toEqual([cannot, 'the list of cached dependencies is saved again']);
});

it('does not try at every change while it cannot be saved, but once more at the end', async () => {
  mkdirSync(`${path}.tmp`);
  const index = await CacheIndex.open(path, log, 3_600_000);
  index.saveLater();
  await index.settle();
  rmSync(`${path}.tmp`, { recursive: true });
  index.entries.set('a.file', entry());
  index.saveLater();
  await new Promise(setImmediate);
  expect(await readIndex(path)).toEqual(new Map());

  await index.settle();

  expect((await readIndex(path)).size).toBe(1);
});
