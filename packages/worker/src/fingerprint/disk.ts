/** Room on the filesystem of a directory. */
import { statfs } from 'node:fs/promises';
import { systemCode } from '../errors.ts';

/** Bytes that an ordinary user may still write; null where the system does not tell. */
export async function freeDisk(directory: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(directory);
    const free = bavail * bsize;
    return Number.isSafeInteger(free) ? free : null;
  } catch (error) {
    // A check-in without this number is better than none.
    if (systemCode(error) !== undefined) return null;
    throw error;
  }
}
