/** Removing what a command left behind, whatever permissions it gave it. */
import { chmod, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from './errno.ts';
import { removeIfSmall } from './remove-small.ts';

/** Removes a directory and everything in it; nothing happens where it is not there. Links are removed, never followed. */
export async function removeTree(directory: string): Promise<void> {
  if (removeIfSmall(directory)) return;
  try {
    await rm(directory, { recursive: true, force: true });
  } catch (error) {
    if (!isErrno(error, 'EACCES', 'EPERM', 'ENOTEMPTY')) {
      throw error;
    }
    await makeRemovable(directory);
    await rm(directory, { recursive: true, force: true });
  }
}

async function makeRemovable(directory: string): Promise<void> {
  await chmod(directory, 0o700);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) {
      await makeRemovable(join(directory, entry.name));
    }
  }
}
