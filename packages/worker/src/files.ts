/** Files written so that a crash leaves either the old one or the new one. */
import { closeSync, fsync, openSync, renameSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { removeIfSmall } from '@sheaf/runtimes';
import { systemCode } from './errors.ts';

const sync = promisify(fsync);

/** Writes to a temporary file beside the final one, makes it durable, and renames it into place; where that fails, nothing stays. Only the disk is waited for. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    const file = openSync(temporary, 'w', 0o600);
    try {
      writeFileSync(file, text);
      await sync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    // What is half written keeps the bytes that a full disk lacks.
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Removes a file or directory, also one below which directories are closed to their owner. */
export async function removeAll(path: string): Promise<void> {
  if (removeIfSmall(path)) return;
  try {
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    if (isTooDeep(error)) return await (await import('./remove-deep.ts')).removeDeep(path);
    if (systemCode(error) !== 'EACCES' && systemCode(error) !== 'EPERM') throw error;
    const { openTree } = await import('./open-tree.ts');
    await openTree(path);
    await rm(path, { recursive: true, force: true });
  }
}

/** Deeper than a path may lead, or than the library calls itself. */
function isTooDeep(error: unknown): boolean {
  return systemCode(error) === 'ENAMETOOLONG' || error instanceof RangeError;
}
