/** Finds out whether what the cache holds is still what it was. */
import { hashDirectory, hashFile } from '@sheaf/trees';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../errors.ts';
import type { CacheableEntry } from './entry-name.ts';

/** Compares number and sizes of the files: cheap, and notices what is missing or cut short. */
export async function looksSound(path: string, entry: CacheableEntry): Promise<boolean> {
  try {
    if (entry.kind === 'file') {
      const found = await lstat(path);
      return found.isFile() && found.size === entry.size;
    }
    const { files, size } = await totals(path);
    return files === entry.files && size === entry.size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return false;
    throw error;
  }
}

/** Hashes everything again. */
export async function isSound(path: string, entry: CacheableEntry, signal: AbortSignal): Promise<boolean> {
  if (!(await looksSound(path, entry))) return false;
  if (entry.kind === 'file') return (await hashFile(path, { signal })).digest === entry.digest;
  const { root } = await hashDirectory(path, { signal });
  return root.kind === 'tree' && root.digest === entry.digest;
}

async function totals(root: string): Promise<{ files: number; size: number }> {
  let files = 0;
  let size = 0;
  const pending = [root];
  for (;;) {
    const directory = pending.pop();
    if (directory === undefined) return { files, size };
    for await (const child of await opendir(directory)) {
      if (child.isDirectory()) pending.push(join(directory, child.name));
      else {
        files += 1;
        if (!child.isSymbolicLink()) size += (await lstat(join(directory, child.name))).size;
      }
    }
  }
}
