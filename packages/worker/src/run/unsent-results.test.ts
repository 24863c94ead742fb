import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silent } from '../testing/worker-bench.ts';
import { keptFor, UnsentResults } from './unsent-results.ts';

let root: string;
let now: number;
let results: UnsentResults;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sheaf-unsent-'));
  now = 1_700_000_000_000;
  const clock = { now: () => now, elapsed: () => now, sleep: () => Promise.resolve() };
  results = new UnsentResults({ directory: join(root, 'unsent'), clock, log: silent });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function runDirectory(uuid: string, text: string): string {
  const directory = join(root, uuid);
  mkdirSync(directory);
  writeFileSync(join(directory, 'result'), text);
  return directory;
}

it('keeps what a run has left, for as long as it says', async () => {
  const directory = runDirectory('0x1', 'precious');
  await results.keep('0x1', directory);

  const kept = join(root, 'unsent', '0x1', 'result');
  expect(existsSync(directory)).toBe(false);
  expect(readFileSync(kept, 'utf8')).toBe('precious');
  now += keptFor - 1000;
  await results.clear();
  expect(existsSync(kept)).toBe(true);
  now += 2000;
  await results.clear();
  expect(existsSync(kept)).toBe(false);
});

it('gives all of it up where room is needed', async () => {
  await results.keep('0x1', runDirectory('0x1', 'a'));
  await results.keep('0x2', runDirectory('0x2', 'b'));

  await results.clear({ all: true });

  expect(existsSync(join(root, 'unsent', '0x1'))).toBe(false);
  expect(existsSync(join(root, 'unsent', '0x2'))).toBe(false);
});

it('has nothing to do where nothing was kept, and keeps nothing of a directory that is gone', async () => {
  await results.clear();
  await results.keep('0x3', join(root, '0x3'));

  expect(existsSync(join(root, 'unsent', '0x3'))).toBe(false);
});
