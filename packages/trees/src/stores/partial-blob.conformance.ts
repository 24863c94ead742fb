/** What every store must do with blobs that arrive in pieces. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { BlobBusyError, DigestMismatchError, OffsetMismatchError } from '../errors.ts';
import { collected, future, hello, large, pieces, someBytes } from '../fixtures/bytes.ts';
import { digestOf } from '../tree/digest.ts';
import type { BlobStore } from './blob-store.ts';

export function partialBlobConformance(opened: () => Promise<BlobStore>): void {
  describe('partial', () => {
    const digest = digestOf(large);

    it('goes on where it was cut off', async () => {
      const store = await opened();
      const partial = store.partial(digest, large.length);
      expect(await partial.offset()).toBe(0);
      await expect(partial.append(0, pieces(large, 100_000, 1_500_000))).rejects.toThrow('went away');
      expect(await partial.offset()).toBe(1_500_000);
      const second = await partial.append(1_500_000, pieces(large.subarray(1_500_000, 2_000_000)));
      expect(second).toEqual({ complete: false, offset: 2_000_000 });
      expect(await store.has(digest)).toBe(false);

      const third = await store
        .partial(digest, large.length)
        .append(2_000_000, pieces(large.subarray(2_000_000)));

      expect(third).toEqual({ complete: true, offset: large.length });
      expect((await collected(store.read(digest))).equals(large)).toBe(true);
      expect(await partial.offset()).toBe(0);
    });

    it('drops what turns out to be something else', async () => {
      const store = await opened();
      const partial = store.partial(digest, large.length);
      const other = someBytes(large.length, 1);
      await expect(partial.append(0, pieces(other))).rejects.toThrow(DigestMismatchError);
      expect(await partial.offset()).toBe(0);
      expect(await store.has(digest)).toBe(false);
    });

    it('refuses another offset, and more than was promised', async () => {
      const store = await opened();
      const partial = store.partial(digest, large.length);
      await expect(partial.append(5, pieces(large))).rejects.toMatchObject({ offset: 0 });
      await expect(partial.append(0, pieces(Buffer.concat([large, hello])))).rejects.toThrow(
        OffsetMismatchError,
      );
      expect(await store.has(digest)).toBe(false);
    });

    it('takes one sender at a time', async () => {
      const store = await opened();
      const partial = store.partial(digest, large.length);
      let release = (): void => undefined;
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      const slow = async function* (): AsyncGenerator<Buffer> {
        yield large.subarray(0, 10);
        await held;
        yield large.subarray(10);
      };
      const first = partial.append(0, slow());
      await expect(store.partial(digest, large.length).append(0, pieces(large))).rejects.toThrow(
        BlobBusyError,
      );
      release();
      expect(await first).toEqual({ complete: true, offset: large.length });
    });

    it('keeps senders of different scopes apart', async () => {
      const store = await opened();
      await store.partial(digest, large.length, 'one').append(0, pieces(large.subarray(0, 1000)));
      expect(await store.partial(digest, large.length, 'two').offset()).toBe(0);
      expect(await store.partial(digest, large.length, 'one').offset()).toBe(1000);
    });

    it('says nothing about what others have stored', async () => {
      const store = await opened();
      await store.put(hello);
      const partial = store.partial(digestOf(hello), 5);
      expect(await partial.offset()).toBe(0);
      expect(await partial.append(0, pieces(hello))).toEqual({ complete: true, offset: 5 });
    });

    it('is swept when nobody goes on', async () => {
      const store = await opened();
      const partial = store.partial(digest, large.length);
      await partial.append(0, pieces(large.subarray(0, 1000)));
      expect(await store.sweep(0)).toEqual({ removed: 0 });
      expect(await store.sweep(future)).toEqual({ removed: 1 });
      expect(await partial.offset()).toBe(0);
    });
  });
}
