/**
 * Removes directories that lie deeper than any path may lead. What no path reaches is brought up to where one does: at no time is
 * anything looked at more than two levels down. Paths are bytes, because names may be no text.
 */
import { Buffer } from 'node:buffer';
import { chmod, readdir, rename, rmdir, unlink } from 'node:fs/promises';

const slash = Buffer.from('/');

/** Nothing may write there meanwhile. @throws what the system says */
export async function removeDeep(path: string): Promise<void> {
  const root = Buffer.from(path);
  let lifted = 0;
  for (;;) {
    const children = await directoriesIn(root);
    if (children.length === 0) break;
    for (const child of children) {
      for (const grandchild of await directoriesIn(child)) {
        lifted += 1;
        await rename(grandchild, join(root, Buffer.from(`lifted-${lifted}-${process.pid}`)));
      }
      await rmdir(child);
    }
  }
  await rmdir(root);
}

/** Removes everything in a directory that is none itself, and answers the paths of the rest. */
async function directoriesIn(directory: Buffer): Promise<Buffer[]> {
  await chmod(directory, 0o700);
  const directories: Buffer[] = [];
  for (const entry of await readdir(directory, { withFileTypes: true, encoding: 'buffer' })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) directories.push(path);
    else await unlink(path);
  }
  return directories;
}

function join(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, slash, name]);
}
