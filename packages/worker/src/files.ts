/** Files written so that a crash leaves either the old one or the new one. */
import { open, rename, rm } from 'node:fs/promises';
import { systemCode } from './errors.ts';

/** Writes to a temporary file beside the final one, makes it durable, and renames it into place; where that fails, nothing stays. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    // What is half written keeps the bytes that a full disk lacks.
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Removes a file or directory, also one below which directories are closed to their owner. */
export async function removeAll(path: string): Promise<void> {
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
