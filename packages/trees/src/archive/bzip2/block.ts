/** One block of a bzip2 stream: Huffman codes, move-to-front, Burrows-Wheeler, run lengths. */
import { Buffer } from 'node:buffer';
import { InvalidArchiveError } from '../../errors.ts';
import type { Breather } from '../../tree/breathe.ts';
import type { BitReader } from './bit-reader.ts';
import { checksumOf } from './checksum.ts';
import { damaged } from './damaged.ts';
import { decodeSymbol, readTable, type HuffmanTable } from './huffman.ts';

const groupLength = 50;
const mostSelectors = 18_002;
/** More than the head of a block can take: symbol map, selectors in unary, six tables. */
const headBytes = 24 * 1024;
/** More than the codes of one group can take. */
const groupBytes = 256;
const runA = 0;
const runB = 1;
const pieceSize = 128 * 1024;

/**
 * Yields the bytes of the block after its magic number, and returns their checksum, compared already.
 * `work` is reused from block to block and has room for the largest.
 */
export async function* readBlock(
  bits: BitReader,
  work: Uint32Array,
  breather: Breather,
): AsyncGenerator<Buffer, number> {
  await bits.ensure(headBytes);
  const expected = bits.take32();
  if (bits.take(1) === 1)
    throw new InvalidArchiveError('it was packed by a bzip2 before 1.0, which is not supported');
  const origin = bits.take(24);
  const symbols = readSymbolMap(bits);
  const { selectors, tables } = readTables(bits, symbols.length + 2);
  const length = await readCodes(bits, symbols, selectors, tables, work, breather);
  if (origin >= length) throw damaged();
  sortBack(work, length);
  let checksum = 0xffffffff;
  for await (const piece of expand(work, length, origin, breather)) {
    checksum = checksumOf(piece, checksum);
    yield piece;
  }
  checksum = ~checksum >>> 0;
  if (checksum !== expected) throw new InvalidArchiveError('the bzip2 checksum is wrong');
  return checksum;
}

function readSymbolMap(bits: BitReader): number[] {
  const rows = bits.take(16);
  const symbols: number[] = [];
  for (let row = 0; row < 16; row += 1) {
    if ((rows & (0x8000 >>> row)) === 0) continue;
    const columns = bits.take(16);
    for (let column = 0; column < 16; column += 1) {
      if ((columns & (0x8000 >>> column)) !== 0) symbols.push(16 * row + column);
    }
  }
  if (symbols.length === 0) throw damaged();
  return symbols;
}

function readTables(bits: BitReader, alphabet: number): { selectors: Uint8Array; tables: HuffmanTable[] } {
  const count = bits.take(3);
  const selectorCount = bits.take(15);
  if (count < 2 || count > 6 || selectorCount === 0) throw damaged();
  const order = Array.from({ length: count }, (_, index) => index);
  const selectors = new Uint8Array(Math.min(selectorCount, mostSelectors));
  for (let index = 0; index < selectorCount; index += 1) {
    let position = 0;
    while (bits.take(1) === 1) {
      position += 1;
      if (position >= count) throw damaged();
    }
    const [selected = 0] = order.splice(position, 1);
    order.unshift(selected);
    if (index < mostSelectors) selectors[index] = selected;
  }
  return { selectors, tables: Array.from({ length: count }, () => readTable(bits, alphabet)) };
}

/** Undoes Huffman and move-to-front: fills `work` with the bytes of the sorted block and answers how many there are. */
async function readCodes(
  bits: BitReader,
  symbols: readonly number[],
  selectors: Uint8Array,
  tables: readonly HuffmanTable[],
  work: Uint32Array,
  breather: Breather,
): Promise<number> {
  const recent = Uint8Array.from(symbols);
  const end = symbols.length + 1;
  let length = 0;
  let run = 0;
  let runBit = 1;
  for (const selector of selectors) {
    const near = bits.ensure(groupBytes);
    if (near !== undefined) await near;
    if (breather.due) await breather.rest();
    const table = tables[selector];
    if (table === undefined) throw damaged();
    for (let index = 0; index < groupLength; index += 1) {
      const symbol = decodeSymbol(bits, table);
      if (symbol === runA || symbol === runB) {
        run += symbol === runA ? runBit : 2 * runBit;
        runBit *= 2;
        if (run > work.length) throw damaged();
        continue;
      }
      if (length + run > work.length) throw damaged();
      if (run > 0) {
        work.fill(recent[0] ?? 0, length, length + run);
        length += run;
        run = 0;
        runBit = 1;
      }
      if (symbol === end) return length;
      if (length >= work.length) throw damaged();
      const position = symbol - 1;
      const byte = recent[position] ?? 0;
      recent.copyWithin(1, 0, position);
      recent[0] = byte;
      work[length] = byte;
      length += 1;
    }
  }
  throw damaged();
}

/** Puts into the upper 24 bits of each place where the byte after it is. */
function sortBack(work: Uint32Array, length: number): void {
  const starts = new Uint32Array(256);
  for (let at = 0; at < length; at += 1) {
    const byte = (work[at] ?? 0) & 0xff;
    starts[byte] = (starts[byte] ?? 0) + 1;
  }
  let sum = 0;
  for (let byte = 0; byte < 256; byte += 1) {
    const count = starts[byte] ?? 0;
    starts[byte] = sum;
    sum += count;
  }
  for (let at = 0; at < length; at += 1) {
    const byte = (work[at] ?? 0) & 0xff;
    const place = starts[byte] ?? 0;
    starts[byte] = place + 1;
    work[place] = ((work[place] ?? 0) & 0xff) | (at << 8);
  }
}

/** Follows the chain and undoes the first step of packing: four equal bytes are followed by how many more there are. */
async function* expand(
  work: Uint32Array,
  length: number,
  origin: number,
  breather: Breather,
): AsyncGenerator<Buffer, undefined> {
  let piece = Buffer.allocUnsafe(pieceSize + 256);
  let filled = 0;
  let next = (work[origin] ?? 0) >>> 8;
  let previous = -1;
  let equal = 0;
  for (let count = 0; count < length; count += 1) {
    const entry = work[next] ?? 0;
    const byte = entry & 0xff;
    next = entry >>> 8;
    if (equal === 4) {
      piece.fill(previous, filled, filled + byte);
      filled += byte;
      equal = 0;
      previous = -1;
    } else {
      equal = byte === previous ? equal + 1 : 1;
      previous = byte;
      piece[filled] = byte;
      filled += 1;
    }
    if (filled < pieceSize) continue;
    yield piece.subarray(0, filled);
    piece = Buffer.allocUnsafe(pieceSize + 256);
    filled = 0;
    if (breather.due) await breather.rest();
  }
  if (filled > 0) yield piece.subarray(0, filled);
  return undefined;
}
