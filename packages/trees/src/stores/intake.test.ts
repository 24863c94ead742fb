import { describe, expect, it } from 'vitest';
import { importArchive } from '../archive/import-archive.ts';
import { StorageFullError } from '../errors.ts';
import { inPieces, members, tarGzOf } from '../fixtures/archives.ts';
import { digestOf } from '../tree/digest.ts';
import { Intake } from './intake.ts';
import { MemoryStore } from './memory-store.ts';

describe('Intake', () => {
  it('stores what it takes, in batches, and tells the digests', async () => {
    const store = new MemoryStore();
    const put = store.putMany.bind(store);
    const batches: number[] = [];
    store.putMany = async (blobs) => {
      batches.push(blobs.length);
      return await put(blobs);
    };
    const intake = new Intake(store);
    const told: string[] = [];
    const given = Array.from({ length: 3000 }, (_, index) => Buffer.from(`blob ${index}`));
    for (const bytes of given) await intake.add(bytes, (digest) => told.push(digest));

    await intake.finish();

    expect(told.toSorted()).toEqual(given.map(digestOf).toSorted());
    expect(batches).toEqual([1024, 1024, 952]);
  });

  it('has no more than two batches on their way', async () => {
    const store = new MemoryStore();
    const put = store.putMany.bind(store);
    let running = 0;
    let most = 0;
    store.putMany = async (blobs) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise(setImmediate);
      running -= 1;
      return await put(blobs);
    };
    const intake = new Intake(store);
    for (let count = 0; count < 10_000; count += 1) await intake.add(Buffer.from(`blob ${count}`));
    await intake.finish();
    expect(most).toBe(2);
  });

  it('gives the error of the store, and so does an import', async () => {
    const store = new MemoryStore();
    store.putMany = async () => {
      throw new StorageFullError('there is no space left for contents');
    };
    const intake = new Intake(store);
    await intake.add(Buffer.from('x'));
    await expect(intake.finish()).rejects.toThrow(StorageFullError);
    const archive = await tarGzOf(...members('a'));
    await expect(importArchive(store, inPieces(archive), 'tar.gz')).rejects.toThrow(StorageFullError);
  });
});
