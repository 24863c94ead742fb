/** Room on the filesystem of a directory. */
import { statfs } from 'node:fs/promises';
import { systemCode } from '../errors.ts';

/** In bytes. */
export interface DiskSpace {
  /** What an ordinary user may still write. */
  readonly free: number;
  readonly total: number;
}

/** Undefined where the system does not tell: a check-in without these numbers is better than none. */
export async function diskSpace(directory: string): Promise<DiskSpace | undefined> {
  try {
    const { bavail, blocks, bsize } = await statfs(directory);
    const space = { free: bavail * bsize, total: blocks * bsize };
    return Number.isSafeInteger(space.free) && Number.isSafeInteger(space.total) ? space : undefined;
  } catch (error) {
    if (systemCode(error) !== undefined) return undefined;
    throw error;
  }
}

/** Bytes below which hardly another file finds room. */
const nothing = 64 * 1024;

export async function hasNoRoom(directory: string): Promise<boolean> {
  const space = await diskSpace(directory);
  return space !== undefined && space.free < nothing;
}
