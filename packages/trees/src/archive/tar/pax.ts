/** Extended headers of POSIX tar: lines of `length key=value`, which replace fields of the header that follows. */
import type { Buffer } from 'node:buffer';
import { InvalidArchiveError } from '../../errors.ts';

export type PaxRecords = ReadonlyMap<string, Buffer>;

/** Later records of a key win, except `GNU.sparse.offset` and `.numbytes`, which come in pairs and are all kept. */
export interface Pax {
  readonly records: PaxRecords;
  readonly sparsePairs: readonly number[];
}

export function parsePax(bytes: Buffer): Pax {
  const records = new Map<string, Buffer>();
  const sparsePairs: number[] = [];
  let at = 0;
  // Some writers fill the block with NUL bytes and count them in.
  while (at < bytes.length && bytes[at] !== 0) {
    const space = bytes.indexOf(0x20, at);
    const length = space === -1 ? Number.NaN : decimal(bytes.subarray(at, space));
    const end = at + length;
    const equals = bytes.indexOf(0x3d, space);
    if (!(end <= bytes.length) || end <= space || equals === -1 || equals >= end || bytes[end - 1] !== 0x0a) {
      throw new InvalidArchiveError('an extended tar header is damaged');
    }
    const key = bytes.toString('utf8', space + 1, equals);
    const value = bytes.subarray(equals + 1, end - 1);
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') sparsePairs.push(decimal(value));
    else if (value.length === 0) records.delete(key);
    else records.set(key, value);
    at = end;
  }
  return { records, sparsePairs };
}

/** A whole number in a record. @throws InvalidArchiveError */
export function decimal(value: Buffer): number {
  const text = value.toString('latin1');
  const number = /^[0-9]+$/.test(text) ? Number.parseInt(text, 10) : Number.NaN;
  if (!Number.isSafeInteger(number))
    throw new InvalidArchiveError('an extended tar header has a number that is none');
  return number;
}

/** A time in a record, which may have a fraction and lie before 1970. @throws InvalidArchiveError */
export function seconds(value: Buffer): number {
  const text = value.toString('latin1');
  if (!/^-?[0-9]+(?:\.[0-9]*)?$/.test(text))
    throw new InvalidArchiveError('an extended tar header has a time that is none');
  return Number.parseFloat(text);
}
