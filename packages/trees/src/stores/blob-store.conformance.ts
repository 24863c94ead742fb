/** What every store must do; run against each of them. */
import { Buffer } from 'node:buffer';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BlobMissingError } from '../errors.ts';
import { temporaryDirectory } from '../fixtures/temporary.ts';
import { digestOf } from '../tree/digest.ts';
import type { BlobStore } from './blob-store.ts';
import { partialBlobConformance } from './partial-blob.conformance.ts';
import { collected, future, hello, large, pieces } from '../fixtures/bytes.ts';

const missing = 'ab'.repeat(32);

export function blobStoreConformance(name: string, open: () => Promise<BlobStore>): void {
  const opened = async (): Promise<BlobStore> => {
    const store = await open();
    onTestFinished(() => store.close());
    return store;
  };

  describe(name, () => {
    describe('put', () => {
      it('answers the digest of what it keeps', async () => {
        const store = await opened();

        const digest = await store.put(hello);

        expect(digest).toBe(digestOf(hello));
        expect((await store.bytes(digest)).equals(hello)).toBe(true);
        expect(await store.size(digest)).toBe(5);
        expect(await store.has(digest)).toBe(true);
        expect(await store.put(hello)).toBe(digest);
      });

      it('keeps the empty blob', async () => {
        const store = await opened();
        const digest = await store.put(Buffer.alloc(0));
        expect(await store.size(digest)).toBe(0);
        expect(await store.bytes(digest)).toHaveLength(0);
        expect(await collected(store.read(digest))).toHaveLength(0);
      });

      it('keeps many at once, equal ones among them, and the caller may go on with the memory', async () => {
        const store = await opened();
        const given = Array.from({ length: 1500 }, (_, index) => Buffer.from(`blob ${index % 1000}`));
        const copies = given.map((bytes) => Buffer.from(bytes));

        const digests = await store.putMany(given);
        for (const bytes of given) bytes.fill(0);

        expect(digests).toEqual(copies.map(digestOf));
        const read = await store.bytesMany(digests);
        expect(read.every((bytes, index) => bytes.equals(copies[index] ?? hello))).toBe(true);
        expect(await store.putMany([])).toEqual([]);
        expect(await store.bytesMany([])).toEqual([]);
      });

      it('takes any bytes', async () => {
        const store = await opened();
        const blob = fc.uint8Array({ maxLength: 100 });
        await fc.assert(
          fc.asyncProperty(fc.array(blob, { maxLength: 5 }), async (blobs) => {
            const digests = await store.putMany(blobs);
            const read = await store.bytesMany(digests);
            expect(read.map((bytes) => [...bytes])).toEqual(blobs.map((bytes) => [...bytes]));
          }),
          { numRuns: 20 },
        );
      });
    });

    describe('writer', () => {
      it.each([0, 5, 300_000, 3_500_000])('streams %i bytes in', async (size) => {
        const store = await opened();
        const bytes = large.subarray(0, size);
        const writer = await store.writer();
        for await (const piece of pieces(bytes)) await writer.write(piece);

        const committed = await writer.commit();

        expect(committed).toEqual({ digest: digestOf(bytes), size });
        expect((await collected(store.read(committed.digest))).equals(bytes)).toBe(true);
      });

      it('lets its caller use the chunk again', async () => {
        const store = await opened();
        const writer = await store.writer();
        const chunk = Buffer.alloc(200_000);
        const parts: Buffer[] = [];
        for (let round = 1; round <= 8; round += 1) {
          chunk.fill(round);
          parts.push(Buffer.from(chunk));
          await writer.write(chunk);
        }
        expect((await writer.commit()).digest).toBe(digestOf(Buffer.concat(parts)));
      });

      it('keeps nothing when it is aborted, and cannot be used after its end', async () => {
        const store = await opened();
        const writer = await store.writer();
        await writer.write(large);

        await writer.abort();
        await writer.abort();

        expect(await store.has(digestOf(large))).toBe(false);
        await expect(writer.write(hello)).rejects.toThrow('closed');
        await expect(writer.commit()).rejects.toThrow('closed');
        expect(await store.sweep(future)).toEqual({ removed: 0 });
      });

      it('takes what is there already, from several at once', async () => {
        const store = await opened();
        const write = async (): Promise<string> => {
          const writer = await store.writer();
          for await (const piece of pieces(large)) await writer.write(piece);
          const { digest } = await writer.commit();
          await writer.abort();
          return digest;
        };
        expect(new Set(await Promise.all([write(), write(), write()]))).toEqual(new Set([digestOf(large)]));
        expect((await collected(store.read(digestOf(large)))).equals(large)).toBe(true);
        expect(await store.sweep(future)).toEqual({ removed: 0 });
      });
    });

    describe('read', () => {
      it.each([
        [{}, 0, 3_500_000],
        [{ offset: 10 }, 10, 3_500_000],
        [{ offset: 1_000_000, length: 700_000 }, 1_000_000, 1_700_000],
        [{ length: 3 }, 0, 3],
        [{ length: 0 }, 0, 0],
        [{ offset: 3_499_999, length: 100 }, 3_499_999, 3_500_000],
        [{ offset: 4_000_000 }, 3_500_000, 3_500_000],
      ])('reads the range %j', async (range, from, to) => {
        const store = await opened();
        const writer = await store.writer();
        await writer.write(large);
        const { digest } = await writer.commit();
        expect((await collected(store.read(digest, range))).equals(large.subarray(from, to))).toBe(true);
      });

      it('says which blob is missing', async () => {
        const store = await opened();
        await expect(collected(store.read(missing))).rejects.toThrow(BlobMissingError);
        await expect(store.bytes(missing)).rejects.toThrow(missing);
        await expect(store.bytesMany([await store.put(hello), missing])).rejects.toThrow(BlobMissingError);
        expect(await store.size(missing)).toBeUndefined();
        expect(await store.has(missing)).toBe(false);
      });
    });

    describe('claim', () => {
      it('answers the sizes of what is there', async () => {
        const store = await opened();
        const empty = await store.put(Buffer.alloc(0));
        expect(await store.claim([await store.put(hello), missing, empty])).toEqual([5, undefined, 0]);
        expect(await store.claim([])).toEqual([]);
      });
    });

    describe('adopt', () => {
      it('takes over a file, which stays where it is', async () => {
        const store = await opened();
        const path = join(await temporaryDirectory(), 'file');
        await writeFile(path, large);

        await store.adopt(path, { digest: digestOf(large), size: large.length });
        await store.adopt(path, { digest: digestOf(large), size: large.length });

        expect((await collected(store.read(digestOf(large)))).equals(large)).toBe(true);
        expect((await readFile(path)).equals(large)).toBe(true);
      });
    });

    partialBlobConformance(opened);

    describe('spool', () => {
      it('holds a stream in a file until it is removed', async () => {
        const store = await opened();
        const spooled = await store.spool(pieces(large));
        expect(spooled.size).toBe(large.length);
        expect((await readFile(spooled.path)).equals(large)).toBe(true);
        expect(await store.sweep(future)).toEqual({ removed: 0 });

        await spooled.remove();
        await spooled.remove();

        await expect(stat(spooled.path)).rejects.toThrow('ENOENT');
      });

      it('leaves nothing of a stream that fails', async () => {
        const store = await opened();
        await expect(store.spool(pieces(large, 100_000, 500_000))).rejects.toThrow('went away');
        expect(await store.sweep(future)).toEqual({ removed: 0 });
      });
    });

    describe('list and delete', () => {
      it('lists what there is', async () => {
        const store = await opened();
        const before = Date.now() - 2000;
        const digests = await store.putMany([hello, Buffer.from('world')]);
        const listed = new Map<string, number>();
        for await (const { digest, size, modifiedAt } of store.list()) {
          listed.set(digest, size);
          expect(modifiedAt).toBeGreaterThan(before);
          expect(modifiedAt).toBeLessThan(future);
        }
        expect([...listed.keys()].toSorted()).toEqual(digests.toSorted());
        expect(listed.get(digestOf(hello))).toBe(5);
      });

      it('deletes, but not what is young', async () => {
        const store = await opened();
        const digest = await store.put(hello);
        expect(await store.delete(digest, { olderThan: Date.now() - 100_000 })).toBe(false);
        expect(await store.has(digest)).toBe(true);
        expect(await store.delete(digest, { olderThan: future })).toBe(true);
        expect(await store.has(digest)).toBe(false);
        expect(await store.delete(digest)).toBe(true);
        await store.put(hello);
        expect(await store.has(digest)).toBe(true);
      });
    });

    it('checks that blobs are what their names say', async () => {
      const store = await opened();
      await store.putMany([hello, Buffer.alloc(0), large]);
      const problems: string[] = [];
      for await (const { digest } of store.check()) problems.push(digest);
      expect(problems).toEqual([]);
    });

    it('is durable when it says so, called once or often', async () => {
      const store = await opened();
      await store.durable();
      await store.put(hello);
      await Promise.all([store.durable(), store.durable()]);
      await store.putMany(Array.from({ length: 50 }, (_, index) => Buffer.from(`many ${index}`)));
      await store.durable();
      expect(await store.has(digestOf(hello))).toBe(true);
    });

    it('streams with back-pressure: what nobody reads is not read', async () => {
      const store = await opened();
      const writer = await store.writer();
      await writer.write(large);
      const { digest } = await writer.commit();
      const stream = store.read(digest);
      expect(stream).toBeInstanceOf(Readable);
      for await (const _ of stream) break;
      expect(stream.destroyed).toBe(true);
    });
  });
}
