/** Reads one file of a bundle's contents, or a part of it. */
import { Readable } from 'node:stream';
import { IncompleteContentsError, NotAFileError } from '../errors.ts';
import type { BlobStore } from '../stores/blob-store.ts';
import type { Entry } from './entry.ts';

export interface ByteRange {
  readonly offset?: number;
  readonly length?: number;
}

/**
 * Streams the bytes of a file, clipped at its end; from beyond the end there is nothing. The stream fails where the store has
 * fewer bytes than the entry says, and never ends as if they were all.
 * @throws NotAFileError on trees and links
 */
export function readFile(store: BlobStore, entry: Entry, range: ByteRange = {}, path = 'the root'): Readable {
  if (entry.kind !== 'file') throw new NotAFileError(path, entry.kind === 'tree' ? 'directory' : 'link');
  const { offset = 0, length = entry.size } = range;
  const expected = Math.max(0, Math.min(length, entry.size - offset));
  const source = store.read(entry.digest, { offset, length: expected });
  return Readable.from(whole(source, expected, path), { objectMode: false });
}

async function* whole(source: Readable, expected: number, path: string): AsyncGenerator<Buffer> {
  let left = expected;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    left -= chunk.length;
    yield chunk;
  }
  if (left > 0) throw new IncompleteContentsError(`${path} is shorter than its entry says`);
}
