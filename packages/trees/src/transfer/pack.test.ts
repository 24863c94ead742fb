import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DigestMismatchError, InvalidPackError } from '../errors.ts';
import { inPieces } from '../fixtures/archives.ts';
import { collected } from '../fixtures/bytes.ts';
import { MemoryStore } from '../stores/memory-store.ts';
import { digestOf } from '../tree/digest.ts';
import { decodePack, encodePack, packLength, type PackedBlob } from './pack.ts';
import { receivePack } from './receive-pack.ts';

const blobs = fc.array(
  fc.uint8Array({ maxLength: 300 }).map((bytes): PackedBlob => ({ digest: digestOf(bytes), bytes })),
  { maxLength: 8 },
);

async function packed(list: readonly PackedBlob[]): Promise<Buffer> {
  return await collected(encodePack(list));
}

async function unpacked(pack: Buffer, piece = 50, largest?: number): Promise<PackedBlob[]> {
  const list: PackedBlob[] = [];
  for await (const { digest, bytes } of decodePack(
    inPieces(pack, piece),
    largest === undefined ? {} : { largest },
  )) {
    list.push({ digest, bytes: Uint8Array.from(bytes) });
  }
  return list;
}

describe('a pack', () => {
  it('gives back what was packed, in whatever pieces it comes', async () => {
    await fc.assert(
      fc.asyncProperty(blobs, fc.integer({ min: 1, max: 500 }), async (list, piece) => {
        const pack = await packed(list);
        expect(pack.length).toBe(packLength(list.map(({ bytes }) => bytes.length)));
        expect(await unpacked(pack, piece)).toEqual(list);
      }),
    );
  });

  it('is refused when it is cut short anywhere', async () => {
    const pack = await packed([{ digest: digestOf(Buffer.from('hello')), bytes: Buffer.from('hello') }]);
    for (let length = 0; length < pack.length; length += 1) {
      await expect(unpacked(pack.subarray(0, length))).rejects.toThrow(InvalidPackError);
    }
  });

  it('is refused with a wrong mark, tag or count, with more after its end, and with too long a blob', async () => {
    const pack = await packed([{ digest: digestOf(Buffer.from('hello')), bytes: Buffer.from('hello') }]);
    for (const at of [0, 8, pack.length - 5, pack.length - 1]) {
      const changed = Buffer.from(pack);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await expect(unpacked(changed)).rejects.toThrow(InvalidPackError);
    }
    await expect(unpacked(Buffer.concat([pack, Buffer.from('x')]))).rejects.toThrow('after its end');
    await expect(unpacked(pack, 50, 4)).rejects.toThrow('too long');
    expect(await unpacked(pack, 50, 5)).toHaveLength(1);
  });

  it('of lies is refused by whoever stores it, who keeps nothing under a wrong digest', async () => {
    const lie = digestOf(Buffer.from('something else'));
    const store = new MemoryStore();
    const pack = await packed([{ digest: lie, bytes: Buffer.from('hello') }]);
    await expect(receivePack(store, inPieces(pack))).rejects.toThrow(DigestMismatchError);
    expect(await store.has(lie)).toBe(false);
  });

  it('is stored, and told what came', async () => {
    const store = new MemoryStore();
    const bytes = Buffer.from('hello');
    const pack = await packed([{ digest: digestOf(bytes), bytes }]);
    expect(await receivePack(store, inPieces(pack))).toEqual(new Map([[digestOf(bytes), 5]]));
    expect((await store.bytes(digestOf(bytes))).toString()).toBe('hello');
  });
});
