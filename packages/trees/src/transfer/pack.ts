/**
 * Many small blobs in one stream (docs/contents.md): the mark, then for each blob `b`, its digest, its length and its bytes,
 * then `e` and how many there were. A stream that was cut short never looks complete.
 */
import { Buffer } from 'node:buffer';
import { ByteReader } from '../archive/byte-reader.ts';
import { InvalidPackError } from '../errors.ts';
import type { Digest } from '../tree/entry.ts';

export interface PackedBlob {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

const mark = Buffer.from('sheafpk1');
const blobTag = 0x62;
const endTag = 0x65;
const frameHead = 1 + 32 + 4;
const endLength = 1 + 4;

/** Longest blob that a receiver takes in a pack unless told otherwise, in bytes. */
export const largestPacked = 16 * 1024 * 1024;

/** Length in bytes of a pack of blobs of these sizes. */
export function packLength(sizes: Iterable<number>): number {
  let length = mark.length + endLength;
  for (const size of sizes) length += frameHead + size;
  return length;
}

export async function* encodePack(
  blobs: AsyncIterable<PackedBlob> | Iterable<PackedBlob>,
): AsyncGenerator<Buffer, undefined> {
  const enough = 128 * 1024;
  let gathered: Uint8Array[] = [mark];
  let length = mark.length;
  let count = 0;
  for await (const { digest, bytes } of blobs) {
    const head = Buffer.alloc(frameHead);
    head[0] = blobTag;
    head.write(digest, 1, 32, 'hex');
    head.writeUInt32BE(bytes.length, 33);
    gathered.push(head, bytes);
    length += head.length + bytes.length;
    count += 1;
    if (length < enough) continue;
    yield Buffer.concat(gathered);
    gathered = [];
    length = 0;
  }
  const end = Buffer.alloc(endLength);
  end[0] = endTag;
  end.writeUInt32BE(count, 1);
  yield Buffer.concat([...gathered, end]);
  return undefined;
}

/**
 * Takes a pack apart. The digests are what the sender says: whoever stores the bytes compares them (`receivePack` does).
 * @throws InvalidPackError on anything that `encodePack` would not have written, and on blobs above `largest`
 */
export async function* decodePack(
  source: AsyncIterable<Uint8Array>,
  options: { readonly largest?: number } = {},
): AsyncGenerator<PackedBlob, undefined> {
  const largest = options.largest ?? largestPacked;
  const reader = new ByteReader(source);
  try {
    if (!(await reader.upTo(mark.length)).equals(mark)) throw new InvalidPackError('it is not a pack');
    for (let count = 0; ; count += 1) {
      const tag = (await exactly(reader, 1))[0];
      if (tag === endTag) {
        await checkEnd(reader, count);
        return undefined;
      }
      if (tag !== blobTag) throw new InvalidPackError(`a pack has the unknown mark ${tag}`);
      const head = await exactly(reader, 36);
      const length = head.readUInt32BE(32);
      if (length > largest) throw new InvalidPackError(`a blob of ${length} bytes is too long for a pack`);
      const digest = head.toString('hex', 0, 32);
      yield { digest, bytes: await exactly(reader, length) };
    }
  } finally {
    await reader.cancel();
  }
}

async function checkEnd(reader: ByteReader, count: number): Promise<void> {
  const said = (await exactly(reader, 4)).readUInt32BE(0);
  if (said !== count) throw new InvalidPackError(`a pack says ${said} blobs and has ${count}`);
  if ((await reader.some(1)) !== undefined) throw new InvalidPackError('a pack has bytes after its end');
}

async function exactly(reader: ByteReader, length: number): Promise<Buffer> {
  const bytes = await reader.upTo(length);
  if (bytes.length < length) throw new InvalidPackError('a pack is cut short');
  return bytes;
}
