/** Gives the owner back the rights that a command took away, so that its results can be read and removed. */
import { chmod, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Directories may be entered and files be read afterwards; links are left alone. */
export async function openTree(root: string): Promise<void> {
  const pending = [root];
  for (;;) {
    const directory = pending.pop();
    if (directory === undefined) return;
    await allow(directory, 0o700);
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) pending.push(path);
      else if (entry.isFile()) await allow(path, 0o400);
    }
  }
}

async function allow(path: string, wanted: number): Promise<void> {
  const { mode } = await lstat(path);
  if ((mode & wanted) !== wanted) await chmod(path, (mode & 0o7777) | wanted);
}
