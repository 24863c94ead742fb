/** Room on the filesystem of a directory. */
import { statfs } from 'node:fs/promises';

/** Bytes that an ordinary user may still write; null where the system does not tell. */
export async function freeDisk(directory: string): Promise<number | null> {
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  return Number.isSafeInteger(free) ? free : null;
}
