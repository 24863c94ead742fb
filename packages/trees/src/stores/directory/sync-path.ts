import { open } from 'node:fs/promises';
import { errorCode } from './storage-error.ts';

/** Puts one file or directory on stable storage. */
export async function syncPath(path: string): Promise<void> {
  let file;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return; // Deleted since: nothing to keep.
    throw error;
  }
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
