/** Removes files that nobody has written to for long. */
import { readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from './storage-error.ts';

/** Those in `directory` that were last written before `olderThan` (ms since the epoch), except what `inUse` says. */
export async function removeOld(
  directory: string,
  olderThan: number,
  inUse: (path: string) => boolean,
): Promise<number> {
  let removed = 0;
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    if (!inUse(path) && (await removeIfOlder(path, olderThan))) removed += 1;
  }
  return removed;
}

async function removeIfOlder(path: string, olderThan: number): Promise<boolean> {
  try {
    if ((await stat(path)).mtimeMs >= olderThan) return false;
    await unlink(path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
