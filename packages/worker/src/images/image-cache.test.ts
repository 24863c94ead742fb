import { mkdtempSync, rmSync, statSync } from 'node:fs';
import type { ImageRemoval } from '@sheaf/runtimes';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silent } from '../testing/worker-bench.ts';
import { ImageCache } from './image-cache.ts';

let directory: string;
let now: number;
let removed: string[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sheaf-images-'));
  now = 1000;
  removed = [];
  outcomes = new Map();
  broken = new Set();
});
afterEach(() => rmSync(directory, { recursive: true }));

const image = (id: string, size = 100) => ({ id, digest: null, size, downloaded: true });
let outcomes: Map<string, ImageRemoval>;
let broken: Set<string>;

function openCache(limit: number | null = 250): Promise<ImageCache> {
  const runtime = {
    removeImage: (id: string) => {
      removed.push(id);
      if (broken.has(id)) return Promise.reject(new Error('layer in an odd state'));
      return Promise.resolve(outcomes.get(id) ?? 'removed');
    },
  };
  const clock = { now: () => now, elapsed: () => now, sleep: () => Promise.resolve() };
  return ImageCache.open({ path: join(directory, 'images.json'), limit, runtime, clock, log: silent });
}

function use(cache: ImageCache, run: string, id: string): void {
  now += 1;
  cache.hold(run, image(id));
  cache.release(run);
}

it('removes the images unused longest above the limit', async () => {
  const cache = await openCache();
  for (const id of ['a', 'b', 'a', 'c']) use(cache, 'run', id);
  await cache.settle();

  expect(removed).toEqual(['b']);
});

it('goes on with others where one cannot be removed, and comes back to it', async () => {
  broken.add('a');
  const cache = await openCache();
  for (const id of ['a', 'b', 'c']) use(cache, 'run', id);
  await cache.settle();
  expect(new Set(removed)).toEqual(new Set(['a', 'b']));

  broken.clear();
  removed = [];
  use(cache, 'run', 'd');
  await cache.settle();
  expect(removed).toEqual(['a']);
});

it('never removes one that a run uses', async () => {
  const cache = await openCache();
  cache.hold('long', image('a'));
  for (const id of ['b', 'c', 'd']) use(cache, 'run', id);
  await cache.settle();

  expect(removed).not.toContain('a');
});

it('remembers over a restart what it has used', async () => {
  const first = await openCache();
  use(first, 'run', 'a');
  use(first, 'run', 'b');
  await first.settle();

  const second = await openCache();
  use(second, 'run', 'c');
  await second.settle();

  expect(removed).toEqual(['a']);
});

it('notes a use down that is a minute after the one on file, and none before', async () => {
  const cache = await openCache();
  const writtenAt = async (): Promise<number> => {
    use(cache, 'run', 'a');
    await cache.settle();
    return statSync(join(directory, 'images.json')).ino;
  };
  const first = await writtenAt();
  expect(await writtenAt()).toBe(first);

  now += 60_000;
  expect(await writtenAt()).not.toBe(first);
});

it('never removes what it has not downloaded itself, however often it is used', async () => {
  const cache = await openCache();
  for (const id of ['a', 'b', 'c', 'd']) {
    now += 1;
    cache.hold('run', { ...image(id), downloaded: false });
    cache.release('run');
  }
  use(cache, 'run', 'e');
  await cache.settle();

  expect(removed).toEqual([]);
});

it('asks again about one that somebody else used, and forgets one that is gone', async () => {
  const cache = await openCache();
  outcomes.set('a', 'in use').set('b', 'gone');
  for (const id of ['a', 'b', 'c', 'd']) use(cache, 'run', id);
  await cache.settle();
  expect(removed).toEqual(['a', 'b', 'c']);

  outcomes.clear();
  use(cache, 'run', 'e');
  await cache.settle();
  expect(removed.slice(3)).toEqual(['a']);
});

it('keeps an image for a run that waits, for as long as it was told to', async () => {
  const cache = await openCache();
  cache.reserve('waiting', image('a'), now + 100);
  expect(cache.spare).toBe(150);
  for (const id of ['b', 'c', 'd']) use(cache, 'run', id);
  await cache.settle();
  expect(removed).not.toContain('a');

  now += 1000;
  expect(cache.spare).toBe(250);
  use(cache, 'run', 'e');
  await cache.settle();
  expect(removed).toContain('a');
});

it('knows what it has downloaded also where a limit comes later', async () => {
  const first = await openCache(null);
  for (const id of ['a', 'b', 'c']) use(first, 'run', id);
  await first.settle();

  const second = await openCache(250);
  second.hold('run', { ...image('c'), downloaded: false });
  await second.settle();

  expect(removed).toEqual(['a']);
});

it('removes nothing without a limit', async () => {
  const cache = await openCache(null);
  for (const id of ['a', 'b', 'c', 'd']) use(cache, 'run', id);
  await cache.settle();

  expect(removed).toEqual([]);
});

it('knows for a minute what could not be had', async () => {
  const cache = await openCache();
  cache.noteMissing('image:1', 'the registry is away');

  expect(cache.missing('image:1')).toBe('the registry is away');
  expect(cache.missing('image:2')).toBeUndefined();
  now += 61_000;
  expect(cache.missing('image:1')).toBeUndefined();
});
