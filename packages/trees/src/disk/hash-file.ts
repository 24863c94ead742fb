/** Hashes files where they are. */
import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { FileChangedError } from '../errors.ts';
import type { FileEntry } from '../tree/entry.ts';

const bufferSize = 1024 * 1024;

export interface HashFileOptions {
  readonly signal?: AbortSignal;
  /** Called with the number of bytes of each piece that was hashed. */
  readonly onBytes?: (length: number) => void;
}

/**
 * Streams a file through SHA-256, reading the next piece while the last one is hashed.
 * @throws FileChangedError where the file was written to meanwhile
 */
export async function hashFile(path: string, options: HashFileOptions = {}): Promise<FileEntry> {
  const file = await open(path, 'r');
  try {
    const before = await file.stat();
    const hash = createHash('sha256');
    let size = 0;
    for await (const piece of piecesOf(file)) {
      options.signal?.throwIfAborted();
      hash.update(piece);
      size += piece.length;
      options.onBytes?.(piece.length);
    }
    const after = await file.stat();
    if (size !== before.size || !isSameVersion(before, after)) throw new FileChangedError(path);
    return { kind: 'file', digest: hash.digest('hex'), size, executable: (before.mode & 0o100) !== 0 };
  } finally {
    await file.close();
  }
}

/** What tells one version of a file from the next. */
export interface FileVersion {
  readonly size: number;
  readonly mtimeMs: number;
  readonly ino: number;
}

export function isSameVersion(a: FileVersion, b: FileVersion): boolean {
  return a.size === b.size && a.mtimeMs === b.mtimeMs && a.ino === b.ino;
}

/** The pieces of an open file, from where `start` says; each is valid until the one after the next is asked for. */
export async function* piecesOf(file: FileHandle, start = 0): AsyncGenerator<Buffer> {
  const buffers = [Buffer.allocUnsafeSlow(bufferSize), Buffer.allocUnsafeSlow(bufferSize)] as const;
  let position = start;
  let turn: 0 | 1 = 0;
  let reading = file.read(buffers[turn], 0, bufferSize, position);
  try {
    for (;;) {
      const { bytesRead } = await reading;
      if (bytesRead === 0) return;
      const piece = buffers[turn].subarray(0, bytesRead);
      position += bytesRead;
      turn = turn === 0 ? 1 : 0;
      reading = file.read(buffers[turn], 0, bufferSize, position);
      yield piece;
    }
  } finally {
    // The buffer must not be read into after the file is closed.
    await Promise.allSettled([reading]);
  }
}
