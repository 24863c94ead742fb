/** Reads the 512-byte header of a tar member: v7, ustar, GNU. */
import { Buffer } from 'node:buffer';
import { InvalidArchiveError } from '../../errors.ts';

export const blockSize = 512;

export interface TarHeader {
  readonly name: Buffer;
  readonly mode: number;
  readonly size: number;
  /** The type flag as a character; the NUL of old archives is `0`. */
  readonly type: string;
  readonly link: Buffer;
  readonly block: Buffer;
}

export function isZeroBlock(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

/** @throws InvalidArchiveError where the checksum says that this is no header */
export function parseHeader(block: Buffer): TarHeader {
  if (!checksumHolds(block)) throw new InvalidArchiveError('it is not a tar archive, or is damaged');
  const flag = block.readUInt8(156);
  const type = flag === 0 ? '0' : String.fromCharCode(flag);
  const name = field(block, 0, 100);
  // POSIX archives keep the front of a long path apart; in GNU ones this place holds other things.
  const posix = block.toString('latin1', 257, 265) === 'ustar\u000000';
  const prefix = posix ? field(block, 345, 155) : Buffer.alloc(0);
  return {
    name: prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]),
    mode: number(block, 100, 8),
    size: number(block, 124, 12),
    type,
    link: field(block, 157, 100),
    block,
  };
}

function field(block: Buffer, at: number, length: number): Buffer {
  const whole = block.subarray(at, at + length);
  const end = whole.indexOf(0);
  return end === -1 ? whole : whole.subarray(0, end);
}

/** Octal text, or big-endian binary where the first bit is set. */
export function number(block: Buffer, at: number, length: number): number {
  const bytes = block.subarray(at, at + length);
  if ((bytes.readUInt8(0) & 0x80) !== 0) return binaryNumber(bytes);
  const text = field(block, at, length).toString('latin1').trim();
  if (text === '') return 0;
  if (!/^[0-7]+$/.test(text)) throw new InvalidArchiveError('a tar header has a number that is none');
  return Number.parseInt(text, 8);
}

function binaryNumber(bytes: Buffer): number {
  if (bytes.readUInt8(0) === 0xff) throw new InvalidArchiveError('a tar header has a negative number');
  let value = bytes.readUInt8(0) & 0x7f;
  for (const byte of bytes.subarray(1)) value = value * 256 + byte;
  if (!Number.isSafeInteger(value)) throw new InvalidArchiveError('a tar header has a number above 2^53 - 1');
  return value;
}

/** Some old programs summed the bytes as signed numbers. */
function checksumHolds(block: Buffer): boolean {
  let unsigned = 0;
  let signed = 0;
  for (let at = 0; at < blockSize; at += 1) {
    const byte = at >= 148 && at < 156 ? 0x20 : (block[at] ?? 0);
    unsigned += byte;
    signed += byte < 0x80 ? byte : byte - 0x100;
  }
  const text = field(block, 148, 8).toString('latin1').trim();
  if (!/^[0-7]+$/.test(text)) return false;
  const stored = Number.parseInt(text, 8);
  return stored === unsigned || stored === signed;
}
