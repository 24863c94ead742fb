/** Puts downloaded contents where the user wants them: files of their own, with the rights of new files. */
import { leftOutOfDownloads, walkTree, type DirectoryStore, type Entry, type FileEntry } from '@sheaf/trees';
import { chmodSync, copyFileSync, linkSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Links blobs out of the store, which is to be deleted afterwards; only what several files share is copied.
 * @param destination must not exist; on the filesystem of the store.
 */
export async function placeContents(store: DirectoryStore, root: Entry, destination: string): Promise<void> {
  const umask = process.umask();
  const moved = new Map<string, string>();
  const place = (entry: FileEntry, path: string): void => {
    const known = moved.get(entry.digest);
    if (known === undefined) linkOrCopy(store.localPath(entry.digest), path);
    else copyFileSync(known, path);
    moved.set(entry.digest, path);
    chmodSync(path, (entry.executable ? 0o777 : 0o666) & ~umask);
  };
  for await (const { path, entry } of walkTree(store, root, { skip: leftOutOfDownloads })) {
    const target = path === '' ? destination : join(destination, path);
    if (entry.kind === 'tree') mkdirSync(target);
    else if (entry.kind === 'link') symlinkSync(entry.target, target);
    else place(entry, target);
  }
}

/** Some filesystems have no hard links. */
function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error;
    copyFileSync(from, to);
  }
}
