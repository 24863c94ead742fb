/* What happens to cached dependencies that somebody or something has changed. */
import { DirectoryStore, type Entry } from '@sheaf/trees';
import { chmodSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CacheBench, get, never } from '../testing/cache-bench.ts';
import { lookOver } from './look.ts';

let bench: CacheBench;
let entry: Entry;
const files = { a: 'some text', b: 'other text' };
beforeEach(async () => {
  bench = await CacheBench.open();
  entry = await bench.server.keepDirectory('bundle', files);
});
afterEach(() => bench.close());

/** Overwrites bytes in place, as a program with too many rights or a failing disk would: size, inode and name stay. */
function overwrite(path: string, text: string): void {
  const { mode, mtime } = statSync(path);
  chmodSync(path, 0o600);
  writeFileSync(path, text);
  chmodSync(path, mode);
  if (statSync(path).mtimeMs === mtime.getTime()) utimesSync(path, mtime, new Date(mtime.getTime() + 1000));
}

const changes: [string, (path: string) => void][] = [
  ['a byte is another', (path) => overwrite(join(path, 'a'), 'Some text')],
  ['a file is shorter', (path) => overwrite(join(path, 'a'), 'some')],
  ['a file is missing', (path) => rmSync(join(path, 'a'))],
  ['a file may be executed', (path) => chmodSync(join(path, 'a'), 0o555)],
  ['there is one file more', (path) => writeFileSync(join(path, 'c'), '')],
  ['all of it is missing', (path) => rmSync(path, { recursive: true })],
];

it.each(changes)('is fetched again when %s', async (_, change) => {
  const cache = await bench.cache();
  const { path } = await get(cache, 'one', 'bundle', entry);
  cache.release('one');
  await cache.settle();
  change(path);

  const again = await get(cache, 'two', 'bundle', entry);

  expect(readdirSync(again.path)).toEqual(['a', 'b']);
  for (const [name, text] of Object.entries(files)) {
    expect(readFileSync(join(again.path, name), 'utf8')).toBe(text);
    expect(statSync(join(again.path, name)).mode & 0o777).toBe(0o444);
  }
});

it.each(changes)('is noticed by a worker that was started anew: %s', async (_, change) => {
  const first = await bench.cache();
  const { path } = await get(first, 'one', 'bundle', entry);
  await first.settle();
  change(path);

  const again = await get(await bench.cache(), 'two', 'bundle', entry);

  expect(readFileSync(join(again.path, 'a'), 'utf8')).toBe('some text');
});

it('is not fetched again where only a time has changed, as when the server claims a blob', async () => {
  const cache = await bench.cache();
  const { path } = await get(cache, 'one', 'bundle', entry);
  await cache.settle();
  const before = bench.fetches;
  utimesSync(join(path, 'a'), new Date(), new Date(Date.now() + 5000));

  await get(cache, 'two', 'bundle', entry);

  expect(bench.fetches).toBe(before);
});

it('is found by hashing where somebody has hidden it, if the owner wants that', async () => {
  const cache = await bench.cache({ verify: true });
  const { path } = await get(cache, 'one', 'bundle', entry);
  await cache.settle();
  const { mtime } = statSync(join(path, 'a'));
  overwrite(join(path, 'a'), 'Some text');
  utimesSync(join(path, 'a'), mtime, mtime);

  const again = await get(cache, 'two', 'bundle', entry);

  expect(readFileSync(join(again.path, 'a'), 'utf8')).toBe('some text');
});

it('takes nothing away from a run that has it mounted', async () => {
  const cache = await bench.cache();
  const { path } = await get(cache, 'one', 'bundle', entry);
  await cache.settle();
  const mounted = statSync(path).ino;
  overwrite(join(path, 'a'), 'Some text');

  await get(cache, 'two', 'bundle', entry);

  const entries = join(bench.directory, 'entries');
  const kept = readdirSync(entries).find((name) => statSync(join(entries, name)).ino === mounted);
  expect(kept).toMatch(/\.damaged$/);
  expect(readFileSync(join(entries, String(kept), 'b'), 'utf8')).toBe('other text');
  cache.release('one');
  await cache.settle();
  expect(isThere(mounted)).toBe(true);
  cache.release('two');
  await cache.settle();
  expect(isThere(mounted)).toBe(false);
});

/** Whether a directory that was mounted, and what is in it, is still somewhere in the cache. */
function isThere(mounted: number): boolean {
  const entries = join(bench.directory, 'entries');
  const kept = readdirSync(entries).find((name) => statSync(join(entries, name)).ino === mounted);
  return kept !== undefined && readFileSync(join(entries, kept, 'b'), 'utf8') === 'other text';
}

it('takes nothing away either where the run that noticed is gone, and it is fetched ahead', async () => {
  const cache = await bench.cache({ attempts: 1 });
  const { path } = await get(cache, 'one', 'bundle', entry);
  await cache.settle();
  const mounted = statSync(path).ino;
  overwrite(join(path, 'a'), 'Some text');
  bench.server.intercept = (asked, _, response) => {
    if (!asked.endsWith('/fetch')) return false;
    response.writeHead(404).end();
    return true;
  };
  await expect(get(cache, 'two', 'bundle', entry)).rejects.toThrow();
  cache.release('two');
  bench.server.intercept = () => false;

  const wanted = { parentUuid: 'bundle', parentPath: '', entry };
  expect(await cache.prefetch('later', wanted, never)).toBe(true);

  expect(readFileSync(join(path, 'a'), 'utf8')).toBe('some text');
  expect(isThere(mounted)).toBe(true);
});

it('takes nothing away from runs that go on while a worker is started anew, listed or not', async () => {
  const first = await bench.cache();
  const { name, path } = await get(first, 'one', 'bundle', entry);
  await first.settle();
  const damaged = statSync(path).ino;
  overwrite(join(path, 'a'), 'Some text');
  await get(first, 'two', 'bundle', entry);
  const unlisted = statSync(path).ino;
  await first.settle();
  rmSync(join(bench.directory, 'index.json'));

  const second = await bench.cache({ mounted: [name] });
  expect([isThere(damaged), isThere(unlisted)]).toEqual([true, true]);

  const again = await get(second, 'three', 'bundle', entry);
  expect(readFileSync(join(again.path, 'a'), 'utf8')).toBe('some text');
  expect([isThere(damaged), isThere(unlisted)]).toEqual([true, true]);

  await second.settle();
  await bench.cache();
  expect([isThere(damaged), isThere(unlisted)]).toEqual([false, false]);
});

it('keeps what was fetched anew in the place of what an earlier worker did not live to list', async () => {
  const first = await bench.cache();
  const { name } = await get(first, 'one', 'bundle', entry);
  await first.settle();
  rmSync(join(bench.directory, 'index.json'));
  const second = await bench.cache({ mounted: [name] });
  second.hold('one', [name]);
  const anew = statSync((await get(second, 'two', 'bundle', entry)).path).ino;

  second.release('one');
  second.release('two');
  await second.settle();

  expect(readdirSync(join(bench.directory, 'entries'))).toEqual([name]);
  expect(isThere(anew)).toBe(true);
});

it('removes what an earlier worker did not live to list as soon as the last run that has it mounted has ended', async () => {
  const first = await bench.cache();
  const { name, path } = await get(first, 'one', 'bundle', entry);
  await first.settle();
  const unlisted = statSync(path).ino;
  rmSync(join(bench.directory, 'index.json'));
  const second = await bench.cache({ mounted: [name] });
  second.hold('one', [name]);
  second.hold('two', [name]);

  second.release('one');
  await second.settle();
  expect(isThere(unlisted)).toBe(true);
  second.release('two');
  await second.settle();
  expect(readdirSync(join(bench.directory, 'entries'))).toEqual([]);
});

it('is repaired over the network where it was linked from the store of a server on this machine', async () => {
  const local = join(bench.directory, 'server');
  const store = await DirectoryStore.open(local);
  const digest = await store.put(Buffer.from('local text'));
  await store.close();
  const file: Entry = { kind: 'file', digest, size: 10, executable: false };
  const cache = await bench.cache({ localStore: local });
  const { path } = await get(cache, 'one', 'bundle', file);
  await cache.settle();
  await bench.server.store.put(Buffer.from('local text'));
  overwrite(path, 'LOCAL text');

  const again = await get(cache, 'two', 'bundle', file);

  expect(readFileSync(again.path, 'utf8')).toBe('local text');
  expect(bench.fetches).toBe(1);
});

describe('a look', () => {
  it('sees links without following them, and what is in directories', async () => {
    const cache = await bench.cache();
    const { path } = await get(cache, 'one', 'bundle', entry);

    const look = await lookOver(path);

    expect(look).toMatchObject({ files: 2, size: 19 });
    expect((await lookOver(path)).fingerprint).toBe(look.fingerprint);
  });
});
