import { chmodSync, lstatSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { link as hardLink } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BlobMissingError, ContentsError, DigestMismatchError } from '../errors.ts';
import { anyDirectory, directory, file, link, storeContents, storeDirectory } from '../fixtures/contents.ts';
import { temporaryDirectory } from '../fixtures/temporary.ts';
import { someBytes } from '../fixtures/bytes.ts';
import type { BlobStore } from '../stores/blob-store.ts';
import { DirectoryStore } from '../stores/directory/directory-store.ts';
import { MemoryStore } from '../stores/memory-store.ts';
import { digestOf } from '../tree/digest.ts';
import { hashDirectory } from './hash-directory.ts';
import { materialise } from './materialise.ts';

async function opened(root: string): Promise<DirectoryStore> {
  const store = await DirectoryStore.open(root);
  onTestFinished(() => store.close());
  return store;
}

async function setUp(): Promise<{ store: DirectoryStore; destination: string }> {
  const path = await temporaryDirectory();
  return { store: await opened(join(path, 'store')), destination: join(path, 'out') };
}

const sample = directory({
  a: file('alpha'),
  'run.sh': file('#!/bin/sh\n', true),
  same: file('alpha'),
  big: file(someBytes(600_000)),
  d: directory({ l: link('../a'), empty: directory() }),
});

describe('materialise', () => {
  it('puts onto disk what was stored, from either store', async () => {
    const path = await temporaryDirectory();
    const stores: BlobStore[] = [await opened(join(path, 'store')), new MemoryStore()];
    let count = 0;
    await fc.assert(
      fc.asyncProperty(
        anyDirectory,
        fc.constantFrom(...stores),
        fc.boolean(),
        async (contents, store, verify) => {
          const root = await storeDirectory(store, contents);
          count += 1;
          const destination = join(path, `out${count}`);

          await materialise(store, root, destination, { verify });

          expect((await hashDirectory(destination)).root).toEqual(root);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('shares the files of the store, read-only, executable ones as well', async () => {
    const { store, destination } = await setUp();
    await materialise(store, await storeContents(store, sample), destination);

    expect(statSync(join(destination, 'a')).ino).toBe(
      statSync(store.localPath(digestOf(Buffer.from('alpha')))).ino,
    );
    expect(statSync(join(destination, 'same')).ino).toBe(statSync(join(destination, 'a')).ino);
    expect(statSync(join(destination, 'a')).mode & 0o777).toBe(0o444);
    const script = await store.executablePath(digestOf(Buffer.from('#!/bin/sh\n')));
    expect(statSync(join(destination, 'run.sh')).ino).toBe(statSync(script).ino);
    expect(statSync(join(destination, 'run.sh')).mode & 0o777).toBe(0o555);
    expect(readlinkSync(join(destination, 'd', 'l'))).toBe('../a');
    expect(lstatSync(join(destination, 'd', 'empty')).isDirectory()).toBe(true);
  });

  it('makes files of its own where they are to be written to', async () => {
    const { store, destination } = await setUp();
    await materialise(store, await storeContents(store, sample), destination, { files: 'copy' });
    expect(statSync(join(destination, 'a')).mode & 0o777).toBe(0o644);
    expect(statSync(join(destination, 'run.sh')).mode & 0o777).toBe(0o755);
    writeFileSync(join(destination, 'a'), 'changed');
    expect((await store.bytes(digestOf(Buffer.from('alpha')))).toString()).toBe('alpha');
  });

  it('puts a single file or link there', async () => {
    const { store, destination } = await setUp();
    await materialise(store, await storeContents(store, file('x', true)), destination);
    expect(statSync(destination).mode & 0o777).toBe(0o555);
    await materialise(store, { kind: 'link', target: 'out' }, `${destination}2`);
    expect(readlinkSync(`${destination}2`)).toBe('out');
  });

  it('takes what the store lacks from another', async () => {
    const { store, destination } = await setUp();
    const other = await opened(join(destination, '..', 'other'));
    const root = await storeContents(other, sample);
    await store.put(Buffer.from('alpha'));

    await materialise(store, root, destination, { linkFrom: other, verify: true });

    const inode = (path: string): number => statSync(path).ino;
    expect(inode(join(destination, 'a'))).toBe(inode(store.localPath(digestOf(Buffer.from('alpha')))));
    expect(inode(join(destination, 'big'))).toBe(inode(other.localPath(digestOf(someBytes(600_000)))));
  });

  it('says which blob is missing', async () => {
    const { store, destination } = await setUp();
    const root = await storeContents(store, sample);
    await store.delete(digestOf(Buffer.from('alpha')));
    await expect(materialise(store, root, destination)).rejects.toThrow(BlobMissingError);
    const other = { linkFrom: new MemoryStore() };
    await expect(materialise(store, root, `${destination}2`, other)).rejects.toThrow(BlobMissingError);
    const copy = { files: 'copy' } as const;
    await expect(materialise(store, root, `${destination}3`, copy)).rejects.toThrow(BlobMissingError);
  });

  it('notices damage where it is told to', async () => {
    const { store, destination } = await setUp();
    const root = await storeContents(store, sample);
    const path = store.localPath(digestOf(Buffer.from('alpha')));
    chmodSync(path, 0o644);
    writeFileSync(path, 'jello');
    await materialise(store, root, destination);
    await expect(materialise(store, root, `${destination}2`, { verify: true })).rejects.toThrow(
      DigestMismatchError,
    );
  });

  it('never writes over what is there', async () => {
    const { store, destination } = await setUp();
    const root = await storeContents(store, sample);
    await materialise(store, root, destination);
    await expect(materialise(store, root, destination)).rejects.toThrow(ContentsError);
    await expect(materialise(store, root, destination)).rejects.toThrow('exists already');
    const single = await storeContents(store, file('x'));
    await expect(materialise(store, single, join(destination, 'a'))).rejects.toThrow('exists already');
  });

  it('copies where a file has as many links as its filesystem allows', async () => {
    const { store, destination } = await setUp();
    const digest = await store.put(Buffer.from('alpha'));
    const links = await temporaryDirectory();
    for (let count = 0; ; count += 1) {
      try {
        await hardLink(store.localPath(digest), join(links, String(count)));
      } catch {
        break;
      }
      // Filesystems without such a bound have nothing to show here.
      if (count > 70_000) break;
    }
    const root = await storeContents(store, sample);

    await materialise(store, root, destination, { verify: true });

    expect(statSync(join(destination, 'a')).mode & 0o777).toBe(0o444);
    expect((await hashDirectory(destination)).root).toEqual(root);
  });
});
