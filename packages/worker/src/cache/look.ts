/** What a cached entry looks like from outside, without reading its files: cheap enough to do before each use. */
import { Breather } from '@sheaf/trees';
import { createHash, type Hash } from 'node:crypto';
import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

export interface Look {
  /** Files and links. */
  readonly files: number;
  /** Bytes of all files. */
  readonly size: number;
  /** Changes with every name, right, size, inode and time of a file; times change also when somebody only claims a blob. */
  readonly fingerprint: string;
}

/**
 * Looks at a file or directory with synchronous calls in short stretches: ten thousand files take some 40 ms.
 * @throws the errors of the filesystem as they are
 */
export async function lookOver(root: string): Promise<Look> {
  const hash = createHash('sha256');
  const breather = new Breather();
  let files = 0;
  let size = 0;
  const pending = [''];
  for (;;) {
    const path = pending.pop();
    if (path === undefined) return { files, size, fingerprint: hash.digest('hex') };
    if (breather.due) await breather.rest();
    const absolute = path === '' ? root : join(root, path);
    const found = lstatSync(absolute);
    if (found.isDirectory()) {
      note(hash, path, found.mode);
      const names = readdirSync(absolute).sort();
      for (const name of names) pending.push(path === '' ? name : `${path}/${name}`);
    } else if (found.isSymbolicLink()) {
      note(hash, path, readlinkSync(absolute));
      files += 1;
    } else {
      note(hash, path, found.mode, found.size, found.mtimeMs, found.ino);
      files += 1;
      size += found.size;
    }
  }
}

function note(hash: Hash, ...facts: readonly (string | number)[]): void {
  hash.update(`${facts.join('\0')}\0\n`);
}
