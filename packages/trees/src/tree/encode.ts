/** The canonical encoding of a tree (docs/contents.md): equal listings have equal bytes, whoever made them. */
import { Buffer } from 'node:buffer';
import { assertNever } from '@sheaf/domain';
import { InvalidNameError, InvalidTreeError } from '../errors.ts';
import { isDigest } from './digest.ts';
import type { Entry, NamedEntry } from './entry.ts';
import { compareNames, nameProblem, targetProblem } from './names.ts';

export const treeVersion = 1;
export const kindByte = { file: 0x66, executable: 0x78, tree: 0x74, link: 0x6c } as const;

/**
 * Encodes entries, in whatever order they are given.
 * @throws InvalidNameError on a name or target that contents cannot hold, InvalidTreeError on equal names, sizes that are
 * no safe integers and texts that are no digests.
 */
export function encodeTree(entries: readonly NamedEntry[]): Buffer {
  return Buffer.concat([Buffer.from([treeVersion]), encodeEntries(sortEntries(entries), undefined)]);
}

/** Encodes some of the sorted entries of a tree; `previous` is the name of the one before them. */
export function encodeEntries(sorted: readonly NamedEntry[], previous: string | undefined): Buffer {
  let length = 0;
  for (const { name, entry } of sorted) length += encodedLength(name, entry);
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  let before = previous;
  for (const { name, entry } of sorted) {
    const problem = nameProblem(name);
    if (problem !== undefined) throw new InvalidNameError(JSON.stringify(name), problem);
    if (name === before) throw new InvalidTreeError(`two entries are named ${JSON.stringify(name)}`);
    before = name;
    at = writeEntry(bytes, at, name, entry);
  }
  return bytes;
}

/** Sorts entries by the bytes of their names; those that are sorted already are answered as they are. */
export function sortEntries(entries: readonly NamedEntry[]): readonly NamedEntry[] {
  if (isSorted(entries)) return entries;
  // Without characters from the surrogates on, the order of UTF-16 is that of UTF-8, and comparing is much faster.
  const order = entries.some(({ name }) => high.test(name)) ? compareNames : compareUnits;
  return entries.toSorted((a, b) => order(a.name, b.name));
}

const high = /[\ud800-\uffff]/;

function compareUnits(a: string, b: string): number {
  if (a < b) return -1;
  return a > b ? 1 : 0;
}

function isSorted(entries: readonly NamedEntry[]): boolean {
  let previous: string | undefined;
  for (const { name } of entries) {
    if (previous !== undefined && compareNames(previous, name) > 0) return false;
    previous = name;
  }
  return true;
}

function encodedLength(name: string, entry: Entry): number {
  const head = 2 + Buffer.byteLength(name);
  switch (entry.kind) {
    case 'file':
      return head + 8 + 32;
    case 'tree':
      return head + 8 + 8 + 32;
    case 'link':
      return head + 2 + Buffer.byteLength(entry.target);
    default:
      return assertNever(entry);
  }
}

function writeEntry(bytes: Buffer, start: number, name: string, entry: Entry): number {
  const nameLength = bytes.write(name, start + 2, 'utf8');
  bytes[start + 1] = nameLength;
  const at = start + 2 + nameLength;
  switch (entry.kind) {
    case 'file':
      bytes[start] = entry.executable ? kindByte.executable : kindByte.file;
      writeCount(bytes, at, entry.size, name);
      return writeDigest(bytes, at + 8, entry.digest, name);
    case 'tree':
      bytes[start] = kindByte.tree;
      writeCount(bytes, at, entry.size, name);
      writeCount(bytes, at + 8, entry.files, name);
      return writeDigest(bytes, at + 16, entry.digest, name);
    case 'link': {
      const problem = targetProblem(entry.target);
      if (problem !== undefined) throw new InvalidNameError(JSON.stringify(name), problem);
      bytes[start] = kindByte.link;
      const targetLength = bytes.write(entry.target, at + 2, 'utf8');
      bytes.writeUInt16BE(targetLength, at);
      return at + 2 + targetLength;
    }
    default:
      return assertNever(entry);
  }
}

function writeCount(bytes: Buffer, at: number, count: number, name: string): void {
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new InvalidTreeError(`${JSON.stringify(name)} has the size ${count}`);
  }
  bytes.writeUInt32BE(Math.floor(count / 2 ** 32), at);
  bytes.writeUInt32BE(count % 2 ** 32, at + 4);
}

function writeDigest(bytes: Buffer, at: number, digest: string, name: string): number {
  if (!isDigest(digest)) throw new InvalidTreeError(`${JSON.stringify(name)} has no digest`);
  bytes.write(digest, at, 32, 'hex');
  return at + 32;
}
