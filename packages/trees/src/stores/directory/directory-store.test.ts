import {
  chmodSync,
  existsSync,
  readdirSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { link, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BlobMissingError } from '../../errors.ts';
import { temporaryDirectory } from '../../fixtures/temporary.ts';
import { digestOf } from '../../tree/digest.ts';
import { blobStoreConformance } from '../blob-store.conformance.ts';
import { collected, someBytes } from '../../fixtures/bytes.ts';
import { DirectoryStore } from './directory-store.ts';

blobStoreConformance(
  'DirectoryStore',
  async () => await DirectoryStore.open(join(await temporaryDirectory(), 'store')),
);

async function opened(): Promise<DirectoryStore> {
  const store = await DirectoryStore.open(join(await temporaryDirectory(), 'store'));
  onTestFinished(() => store.close());
  return store;
}

const hello = Buffer.from('hello');
const large = someBytes(2_000_000);
const future = Date.now() + 1_000_000;

async function putLarge(store: DirectoryStore): Promise<string> {
  const writer = await store.writer();
  await writer.write(large);
  return (await writer.commit()).digest;
}

describe('the files of a DirectoryStore', () => {
  it('are plain, read-only and named by their digest', async () => {
    const store = await opened();
    for (const digest of [await store.put(hello), await putLarge(store)]) {
      expect(store.localPath(digest)).toBe(join(store.root, 'blobs', digest.slice(0, 2), digest.slice(2)));
      expect(statSync(store.localPath(digest)).mode & 0o777).toBe(0o444);
      expect(digestOf(await readFile(store.localPath(digest)))).toBe(digest);
    }
    expect(readdirSync(join(store.root, 'temp'))).toEqual([]);
  });

  it('are not written again when their bytes come again, only made young', async () => {
    const store = await opened();
    for (const put of [() => store.put(hello), () => putLarge(store)]) {
      const path = store.localPath(await put());
      utimesSync(path, 1000, 1000);
      const before = statSync(path);

      await put();

      expect(statSync(path).ino).toBe(before.ino);
      expect(statSync(path).mtimeMs).toBeGreaterThan(before.mtimeMs);
    }
  });

  it('become young when they are claimed, so that a sweep leaves them', async () => {
    const store = await opened();
    const digest = await store.put(hello);
    utimesSync(store.localPath(digest), 1000, 1000);

    await store.claim([digest]);

    expect(await store.delete(digest, { olderThan: Date.now() - 60_000 })).toBe(false);
  });

  it('are written anew where a power cut left them too short', async () => {
    const store = await opened();
    const small = await store.put(hello);
    const big = await putLarge(store);
    for (const digest of [small, big]) chmodSync(store.localPath(digest), 0o644);
    truncateSync(store.localPath(small), 0);
    truncateSync(store.localPath(big), 1000);
    expect(await store.has(small)).toBe(false);
    await expect(store.bytes(small)).rejects.toThrow(BlobMissingError);

    await store.put(hello);
    await putLarge(store);

    expect((await store.bytes(small)).equals(hello)).toBe(true);
    expect((await collected(store.read(big))).equals(large)).toBe(true);
  });

  it('are reported when they are damaged', async () => {
    const store = await opened();
    const digest = await store.put(hello);
    await putLarge(store);
    chmodSync(store.localPath(digest), 0o644);
    writeFileSync(store.localPath(digest), 'jello');

    const problems = [];
    for await (const problem of store.check()) problems.push(problem);

    expect(problems).toEqual([
      { digest, problem: `its bytes have the digest ${digestOf(Buffer.from('jello'))}` },
    ]);
  });

  it('are seen by another process at once', async () => {
    const store = await opened();
    const digest = await putLarge(store);
    const other = await DirectoryStore.open(store.root, { readOnly: true });
    onTestFinished(() => other.close());
    expect((await collected(other.read(digest))).equals(large)).toBe(true);
  });
});

describe('executablePath', () => {
  it('is a second file that may be executed, made once', async () => {
    const store = await opened();
    const digest = await store.put(Buffer.from('#!/bin/sh\nexit 3\n'));

    const path = await store.executablePath(digest);

    expect(statSync(path).mode & 0o777).toBe(0o555);
    expect(statSync(path).ino).not.toBe(statSync(store.localPath(digest)).ino);
    expect(await store.executablePath(digest)).toBe(path);
    await store.delete(digest);
    expect(existsSync(path)).toBe(false);
    await expect(store.executablePath(digest)).rejects.toThrow(BlobMissingError);
    expect(readdirSync(join(store.root, 'temp'))).toEqual([]);
  });
});

describe('adopt', () => {
  it('links a file that has no other name', async () => {
    const store = await opened();
    const path = join(await temporaryDirectory(), 'file');
    await writeFile(path, large, { mode: 0o755 });

    await store.adopt(path, { digest: digestOf(large), size: large.length });

    expect(statSync(store.localPath(digestOf(large))).ino).toBe(statSync(path).ino);
    expect(statSync(path).mode & 0o777).toBe(0o444);
  });

  it('copies a file that can be written to under another name', async () => {
    const store = await opened();
    const directory = await temporaryDirectory();
    const path = join(directory, 'file');
    await writeFile(path, large);
    await link(path, join(directory, 'other'));

    await store.adopt(path, { digest: digestOf(large), size: large.length });

    expect(statSync(store.localPath(digestOf(large))).ino).not.toBe(statSync(path).ino);
    expect(statSync(path).mode & 0o777).not.toBe(0o444);
    expect((await collected(store.read(digestOf(large)))).equals(large)).toBe(true);
  });
});

describe('sweep', () => {
  it('removes what others left behind, and not what is being written', async () => {
    const store = await opened();
    const writer = await store.writer();
    await writer.write(large);
    writeFileSync(join(store.root, 'temp', 'left-behind'), 'x');

    expect(await store.sweep(0)).toEqual({ removed: 0 });
    expect(await store.sweep(future)).toEqual({ removed: 1 });

    expect((await writer.commit()).digest).toBe(digestOf(large));
  });
});

describe('a DirectoryStore that fails', () => {
  it('tells the writer, and leaves no temporary file', async () => {
    const store = await opened();
    // A file where the directory for the blob should be: placing it cannot work.
    const digest = digestOf(large);
    const directory = join(store.root, 'blobs', digest.slice(0, 2));
    const { rmdirSync } = await import('node:fs');
    rmdirSync(directory);
    writeFileSync(directory, 'in the way');

    await expect(putLarge(store)).rejects.toThrow('ENOTDIR');

    expect(readdirSync(join(store.root, 'temp'))).toEqual([]);
  });
});
