import type { Digest } from '../../tree/entry.ts';
import type { BlobThread } from './blob-thread.ts';
import { errorCode } from './storage-error.ts';

/** Re-hashes one blob in a thread, and says what is wrong with it, or undefined where nothing is. */
export async function checkBlob(thread: BlobThread, digest: Digest): Promise<string | undefined> {
  try {
    const actual = await thread.run<'check'>({ kind: 'check', digest });
    return actual === digest ? undefined : `its bytes have the digest ${actual}`;
  } catch (error) {
    // A medium that is failing: the others are still worth checking.
    if (errorCode(error) === undefined) throw error;
    return `it cannot be read (${errorCode(error)})`;
  }
}
