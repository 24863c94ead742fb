/** Handing a directory to another user. */
import { lchown, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Changes the owner of a directory and everything in it; links themselves, not what they point to. */
export async function changeOwner(path: string, uid: number, gid: number): Promise<void> {
  await lchown(path, uid, gid);
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const inner = join(path, entry.name);
    await (entry.isDirectory() ? changeOwner(inner, uid, gid) : lchown(inner, uid, gid));
  }
}
