/** Reads the canonical encoding of a tree, and nothing but it. */
import { Buffer } from 'node:buffer';
import { isUtf8 } from 'node:buffer';
import { InvalidTreeError } from '../errors.ts';
import { kindByte, treeVersion } from './encode.ts';
import type { Entry, NamedEntry } from './entry.ts';
import { nameProblem, targetProblem } from './names.ts';

/**
 * Decodes a tree; the entries come sorted by the bytes of their names.
 * @throws InvalidTreeError on anything that `encodeTree` would not have written: another version, names out of order, twice
 * or not allowed, sizes above 2^53 - 1, bytes missing or left over.
 */
export function decodeTree(encoded: Uint8Array): NamedEntry[] {
  const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  if (bytes.length === 0) throw new InvalidTreeError('a tree has no bytes');
  if (bytes[0] !== treeVersion) throw new InvalidTreeError(`a tree has the unknown version ${bytes[0]}`);
  const reader = new Reader(bytes, 1);
  const entries: NamedEntry[] = [];
  let previous: Buffer | undefined;
  while (reader.at < bytes.length) {
    const kind = reader.byte();
    const nameBytes = reader.take(reader.byte());
    const name = reader.text(nameBytes);
    const problem = nameProblem(name);
    if (problem !== undefined) throw new InvalidTreeError(`in a tree ${problem}`);
    if (previous !== undefined) checkOrder(previous, nameBytes, name);
    previous = nameBytes;
    entries.push({ name, entry: readEntry(reader, kind, name) });
  }
  return entries;
}

function checkOrder(previous: Buffer, next: Buffer, name: string): void {
  const order = Buffer.compare(previous, next);
  if (order === 0) throw new InvalidTreeError(`a tree has two entries named ${JSON.stringify(name)}`);
  if (order > 0) throw new InvalidTreeError(`a tree has ${JSON.stringify(name)} in the wrong place`);
}

function readEntry(reader: Reader, kind: number, name: string): Entry {
  switch (kind) {
    case kindByte.file:
    case kindByte.executable: {
      const size = reader.count();
      return { kind: 'file', digest: reader.digest(), size, executable: kind === kindByte.executable };
    }
    case kindByte.tree: {
      const size = reader.count();
      const files = reader.count();
      return { kind: 'tree', digest: reader.digest(), size, files };
    }
    case kindByte.link: {
      const target = reader.text(reader.take(reader.short()));
      const problem = targetProblem(target);
      if (problem !== undefined)
        throw new InvalidTreeError(`in a tree, at ${JSON.stringify(name)}, ${problem}`);
      return { kind: 'link', target };
    }
    default:
      throw new InvalidTreeError(`a tree has ${JSON.stringify(name)} of the unknown kind ${kind}`);
  }
}

class Reader {
  readonly #bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  take(length: number): Buffer {
    const end = this.at + length;
    if (end > this.#bytes.length) throw new InvalidTreeError('a tree is cut short');
    const taken = this.#bytes.subarray(this.at, end);
    this.at = end;
    return taken;
  }

  byte(): number {
    return this.take(1).readUInt8(0);
  }

  short(): number {
    return this.take(2).readUInt16BE(0);
  }

  count(): number {
    const bytes = this.take(8);
    const count = bytes.readUInt32BE(0) * 2 ** 32 + bytes.readUInt32BE(4);
    if (!Number.isSafeInteger(count)) throw new InvalidTreeError('a tree has a size above 2^53 - 1');
    return count;
  }

  digest(): string {
    return this.take(32).toString('hex');
  }

  text(bytes: Buffer): string {
    if (!isUtf8(bytes)) throw new InvalidTreeError('a tree has a text that is not valid UTF-8');
    return bytes.toString('utf8');
  }
}
