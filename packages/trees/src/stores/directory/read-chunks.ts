/** Streams a blob's file from any offset. */
import { open } from 'node:fs/promises';
import { BlobMissingError } from '../../errors.ts';
import type { Digest } from '../../tree/entry.ts';
import { errorCode } from './storage-error.ts';

export const readSize = 256 * 1024;

export async function* readChunks(
  path: string,
  digest: Digest,
  range: { offset?: number; length?: number },
): AsyncGenerator<Buffer> {
  let file;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') throw new BlobMissingError(digest, { cause: error });
    throw error;
  }
  try {
    let at = range.offset ?? 0;
    let left = range.length ?? Number.POSITIVE_INFINITY;
    while (left > 0) {
      const buffer = Buffer.allocUnsafeSlow(Math.min(readSize, left));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      left -= bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
