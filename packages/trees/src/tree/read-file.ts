/** Reads one file of a bundle's contents, or a part of it. */
import type { Readable } from 'node:stream';
import { NotAFileError } from '../errors.ts';
import type { BlobStore } from '../stores/blob-store.ts';
import type { Entry } from './entry.ts';

export interface ByteRange {
  readonly offset?: number;
  readonly length?: number;
}

/**
 * Streams the bytes of a file, clipped at its end; from beyond the end there is nothing.
 * @throws NotAFileError on trees and links
 */
export function readFile(store: BlobStore, entry: Entry, range: ByteRange = {}, path = 'the root'): Readable {
  if (entry.kind !== 'file') throw new NotAFileError(path, entry.kind === 'tree' ? 'directory' : 'link');
  return store.read(entry.digest, range);
}
