/** bzip2 without the program: several streams one after the other, every checksum compared. */
import { InvalidArchiveError } from '../../errors.ts';
import { Breather } from '../../tree/breathe.ts';
import { ByteReader } from '../byte-reader.ts';
import { BitReader } from './bit-reader.ts';
import { readBlock } from './block.ts';
import { damaged } from './damaged.ts';

const mark = 0x425a68; // "BZh"
const blockMark = [0x314159, 0x265359] as const;
const endMark = [0x177245, 0x385090] as const;

/** @throws InvalidArchiveError where the stream is no bzip2, damaged or cut short; errors of the source as they are */
export async function* decodeBzip2(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, undefined> {
  const reader = new ByteReader(source);
  const bits = new BitReader(reader);
  const breather = new Breather();
  try {
    for (let streams = 0; ; streams += 1) {
      await bits.ensure(4);
      // After the last stream anything may follow, as with the program.
      if (streams > 0 && bits.ended) return undefined;
      const isStream = !bits.ended && bits.take(24) === mark;
      if (!isStream && streams > 0) {
        await reader.drain();
        return undefined;
      }
      if (!isStream) throw new InvalidArchiveError('it is not a bzip2 file');
      yield* readStream(bits, breather);
    }
  } finally {
    await reader.cancel();
  }
}

async function* readStream(bits: BitReader, breather: Breather): AsyncGenerator<Buffer, undefined> {
  const level = bits.take(8) - 0x30;
  if (level < 1 || level > 9) throw damaged();
  const work = new Uint32Array(level * 100_000);
  let combined = 0;
  for (;;) {
    await bits.ensure(16);
    const found = [bits.take(24), bits.take(24)];
    if (found[0] === blockMark[0] && found[1] === blockMark[1]) {
      const checksum = yield* readBlock(bits, work, breather);
      combined = (((combined << 1) | (combined >>> 31)) ^ checksum) >>> 0;
      continue;
    }
    if (found[0] !== endMark[0] || found[1] !== endMark[1]) throw damaged();
    if (bits.take32() !== combined) throw new InvalidArchiveError('the bzip2 checksum is wrong');
    bits.align();
    return undefined;
  }
}
