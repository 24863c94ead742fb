/** Reads the canonical encoding of a tree, and nothing but it. */
import { Buffer, isUtf8 } from 'node:buffer';
import { InvalidTreeError } from '../errors.ts';
import { Breather } from './breathe.ts';
import { kindByte, treeVersion } from './encode.ts';
import type { Entry, NamedEntry } from './entry.ts';
import { nameProblem, targetProblem } from './names.ts';

/**
 * Decodes a tree; the entries come sorted by the bytes of their names.
 * @throws InvalidTreeError on anything that `encodeTree` would not have written: another version, names out of order, twice
 * or not allowed, sizes above 2^53 - 1, bytes missing or left over.
 */
export function decodeTree(encoded: Uint8Array): NamedEntry[] {
  return [...decodedEntries(encoded)];
}

/** The same, while the rest of the process goes on: a directory of a million entries takes seconds. */
export async function decodeLargeTree(encoded: Uint8Array): Promise<NamedEntry[]> {
  if (encoded.length < largeFrom) return decodeTree(encoded);
  const breather = new Breather();
  const entries: NamedEntry[] = [];
  for (const entry of decodedEntries(encoded)) {
    entries.push(entry);
    if (entries.length % 1000 === 0 && breather.due) await breather.rest();
  }
  return entries;
}

const largeFrom = 256 * 1024;

function* decodedEntries(encoded: Uint8Array): Generator<NamedEntry, undefined> {
  const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  if (bytes.length === 0) throw new InvalidTreeError('a tree has no bytes');
  if (bytes[0] !== treeVersion) throw new InvalidTreeError(`a tree has the unknown version ${bytes[0]}`);
  const reader = new Reader(bytes, 1);
  let previous: Buffer | undefined;
  while (reader.at < bytes.length) {
    const kind = reader.byte();
    const nameBytes = reader.take(reader.byte());
    const name = reader.text(nameBytes);
    const problem = nameProblem(name);
    if (problem !== undefined) throw new InvalidTreeError(`in a tree ${problem}`);
    if (previous !== undefined) checkOrder(previous, nameBytes, name);
    previous = nameBytes;
    yield { name, entry: readEntry(reader, kind, name) };
  }
  return undefined;
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

function cutShort(): InvalidTreeError {
  return new InvalidTreeError('a tree is cut short');
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
    if (end > this.#bytes.length) throw cutShort();
    const taken = this.#bytes.subarray(this.at, end);
    this.at = end;
    return taken;
  }

  byte(): number {
    const byte = this.#bytes[this.at];
    if (byte === undefined) throw cutShort();
    this.at += 1;
    return byte;
  }

  short(): number {
    return this.take(2).readUInt16BE(0);
  }

  count(): number {
    const start = this.at;
    if (start + 8 > this.#bytes.length) throw cutShort();
    this.at = start + 8;
    const count = this.#bytes.readUInt32BE(start) * 2 ** 32 + this.#bytes.readUInt32BE(start + 4);
    if (!Number.isSafeInteger(count)) throw new InvalidTreeError('a tree has a size above 2^53 - 1');
    return count;
  }

  digest(): string {
    const start = this.at;
    if (start + 32 > this.#bytes.length) throw cutShort();
    this.at = start + 32;
    return this.#bytes.toString('hex', start, this.at);
  }

  text(bytes: Buffer): string {
    if (!isUtf8(bytes)) throw new InvalidTreeError('a tree has a text that is not valid UTF-8');
    return bytes.toString('utf8');
  }
}
