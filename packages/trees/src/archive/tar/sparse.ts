/** Files with holes, in the four ways GNU tar has written them: only the parts that are not zero are stored. */
import { Buffer } from 'node:buffer';
import { InvalidArchiveError } from '../../errors.ts';
import type { ByteReader } from '../byte-reader.ts';
import { blockSize, number, type TarHeader } from './header.ts';
import { decimal, type Pax } from './pax.ts';
import type { Body } from './read-tar.ts';

export interface SparseLayout {
  /** Bytes of the whole file. */
  readonly size: number;
  /** The stored parts, in order: where each belongs, and how long it is. */
  readonly parts: readonly { readonly offset: number; readonly length: number }[];
}

const zeros = Buffer.alloc(128 * 1024);
/** More parts than this are an attack. */
const mostParts = 1_000_000;

/** Reads the map of a sparse member, or answers undefined for any other. */
export async function sparseLayout(
  header: TarHeader,
  pax: Pax | undefined,
  body: Body,
  reader: ByteReader,
): Promise<SparseLayout | undefined> {
  if (header.type === 'S') return await oldLayout(header, reader);
  if (pax === undefined) return undefined;
  const size = pax.records.get('GNU.sparse.realsize') ?? pax.records.get('GNU.sparse.size');
  if (size === undefined) return undefined;
  const total = decimal(size);
  if (pax.records.has('GNU.sparse.major')) return checked(total, await mapInBody(body));
  const map = pax.records.get('GNU.sparse.map');
  const numbers =
    map === undefined
      ? pax.sparsePairs
      : map
          .toString('latin1')
          .split(',')
          .map((text) => decimal(Buffer.from(text)));
  return checked(total, numbers);
}

/** Yields the file with its holes filled. */
export async function* expandSparse(layout: SparseLayout, body: Body): AsyncGenerator<Buffer> {
  let at = 0;
  for (const { offset, length } of layout.parts) {
    yield* hole(offset - at);
    yield* body.chunks(length);
    at = offset + length;
  }
  yield* hole(layout.size - at);
}

function* hole(length: number): Generator<Buffer> {
  for (let left = length; left > 0; left -= zeros.length) yield zeros.subarray(0, left);
}

function checked(size: number, numbers: readonly number[]): SparseLayout {
  const parts: { offset: number; length: number }[] = [];
  let end = 0;
  for (let index = 0; index + 1 < numbers.length; index += 2) {
    const offset = numbers[index] ?? 0;
    const length = numbers[index + 1] ?? 0;
    if (offset < end || offset + length > size) throw damaged();
    end = offset + length;
    parts.push({ offset, length });
  }
  if (numbers.length % 2 === 1) throw damaged();
  return { size, parts };
}

function damaged(): InvalidArchiveError {
  return new InvalidArchiveError('the map of a sparse file is damaged');
}

/** GNU's own format: four parts in the header, more in blocks of 21 that follow it. */
async function oldLayout(header: TarHeader, reader: ByteReader): Promise<SparseLayout> {
  const numbers: number[] = [];
  const collect = (block: Buffer, from: number, count: number): void => {
    for (let index = 0; index < count; index += 1) {
      const at = from + index * 24;
      if (block[at] === 0 || block[at + 12] === 0) return;
      numbers.push(number(block, at, 12), number(block, at + 12, 12));
    }
  };
  collect(header.block, 386, 4);
  const size = number(header.block, 483, 12);
  let more = header.block[482] !== 0;
  while (more) {
    const block = await reader.upTo(blockSize);
    if (block.length < blockSize || numbers.length > 2 * mostParts) throw damaged();
    collect(block, 0, 21);
    more = block[504] !== 0;
  }
  return checked(size, numbers);
}

/** POSIX format 1.0: decimal lines at the front of the body, filled up to whole blocks. */
async function mapInBody(body: Body): Promise<number[]> {
  const numbers: number[] = [];
  let wanted = 1;
  let unfinished = '';
  while (numbers.length < wanted) {
    const lines = (unfinished + (await body.take(blockSize)).toString('latin1')).split('\n');
    unfinished = lines.pop() ?? '';
    for (const line of lines) {
      if (numbers.length === wanted) break;
      numbers.push(decimal(Buffer.from(line)));
      if (numbers.length === 1) wanted = 1 + 2 * Math.min(numbers[0] ?? 0, mostParts + 1);
      if (wanted > 2 * mostParts) throw damaged();
    }
    if (numbers.length < wanted && unfinished.length > 32) throw damaged();
  }
  return numbers.slice(1);
}
