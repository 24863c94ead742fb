/* When a link is read again, and when not. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { importDirectory, importFile, MemoryStore, NotAFileError, TreeCache, type Entry } from '@sheaf/trees';
import { createReadStream, lstatSync } from 'node:fs';
import type { Services } from '../services.ts';
import { LinkedEntries } from './linked-entries.ts';

const hour = 60 * 60 * 1000;
const uuid = '0x1';

let place: string;
let store: MemoryStore;
let now: number;
let reads: number;
let linked: LinkedEntries;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'sheaf-linked-'));
  mkdirSync(join(place, 'sub'));
  writeFileSync(join(place, 'sub', 'file'), 'before');
  symlinkSync('sub/file', join(place, 'link'));
  store = new MemoryStore();
  // Later than all that was just written, as after a while.
  now = Date.now() + hour;
  reads = 0;
  const services = { store, clock: { now: () => now } } as unknown as Services;
  linked = new LinkedEntries(services, new TreeCache(store), async (into, at) => {
    reads += 1;
    return lstatSync(at).isDirectory()
      ? await importDirectory(into, at)
      : await importFile(into, createReadStream(at), { executable: false });
  });
});
afterEach(() => {
  rmSync(place, { recursive: true });
});

const bring = async (path = ''): Promise<Entry> => await linked.bringIn(uuid, join(place, path));

describe('a link that was read before', () => {
  it('is not read again while nothing is written', async () => {
    const first = await bring();
    now += 20 * hour;
    expect(await bring()).toEqual(first);
    expect(await bring('sub/file')).toEqual(await bring('sub/file'));
    expect(reads).toBe(2);
    expect(linked.roots(uuid)).toHaveLength(2);
  });

  it.each<[string, () => void]>([
    ['of another length', () => appendFileSync(join(place, 'sub', 'file'), '!')],
    ['of the same length', () => writeFileSync(join(place, 'sub', 'file'), 'after!')],
    [
      'put in the place of the old one',
      () => {
        writeFileSync(join(place, 'new'), 'after!');
        renameSync(join(place, 'new'), join(place, 'sub', 'file'));
      },
    ],
    [
      'whose time was set back',
      () => {
        const { atime, mtime } = lstatSync(join(place, 'sub', 'file'));
        writeFileSync(join(place, 'sub', 'file'), 'after!');
        utimesSync(join(place, 'sub', 'file'), atime, mtime);
      },
    ],
  ])('is read again for a file %s', async (_how, write) => {
    const first = await bring();
    write();
    expect(await bring()).not.toEqual(first);
    expect(reads).toBe(2);
  });

  it('is read again for a name, a mode or the target of a link', async () => {
    const seen = [await bring()];
    renameSync(join(place, 'sub', 'file'), join(place, 'sub', 'other'));
    seen.push(await bring());
    execFileSync('chmod', ['+x', join(place, 'sub', 'other')]);
    seen.push(await bring());
    rmSync(join(place, 'link'));
    symlinkSync('sub/other', join(place, 'link'));
    seen.push(await bring());
    expect(new Set(seen.map((entry) => JSON.stringify(entry))).size).toBe(4);
  });

  it('is read again when the store has lost some of it', async () => {
    const first = await bring();
    for await (const { digest } of store.list()) await store.delete(digest);
    now += 7 * hour;
    expect(await bring()).toEqual(first);
    expect(reads).toBe(2);
  });

  it('is not trusted where it was written just before: another change could bear the same time', async () => {
    now = Date.now();
    await bring();
    await bring();
    expect(reads).toBe(2);
  });
});

describe('what is brought in', () => {
  it('is a link where the path is one, whatever it leads to; and never what is no file', async () => {
    const services = { store, clock: { now: () => now } } as unknown as Services;
    const real = new LinkedEntries(services, new TreeCache(store));
    symlinkSync('/etc/hostname', join(place, 'out'));
    expect(await real.bringIn(uuid, join(place, 'out'))).toEqual({ kind: 'link', target: '/etc/hostname' });
    expect(await real.bringIn(uuid, join(place, 'sub', 'file'))).toMatchObject({ kind: 'file', size: 6 });
    expect(await real.bringIn(uuid, place)).toMatchObject({ kind: 'tree', size: 6 });
    execFileSync('mkfifo', [join(place, 'pipe')]);
    await expect(real.bringIn(uuid, join(place, 'pipe'))).rejects.toThrow(NotAFileError);
  });
});
