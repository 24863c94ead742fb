/** Places inside the run directory on which dependencies are mounted, made before the sandbox is. */
import { lchown, lstat, mkdir, writeFile } from 'node:fs/promises';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../files/errno.ts';
import { RuntimeError, type RunSpecification } from '../port.ts';
import type { SandboxUser } from './user.ts';

/**
 * Makes them as the run's own user would. The tools would make them too, but as root, and through links: a run directory that
 * an earlier attempt filled may hold a link to anywhere.
 * @throws RuntimeError the way to a mount point leads over a link or a file
 */
export async function makeMountPoints(run: RunSpecification, user: SandboxUser | undefined): Promise<void> {
  const prefix = `/${run.uuid}/`;
  for (const { source, target } of run.mounts.filter((mount) => mount.target.startsWith(prefix))) {
    const names = target.slice(prefix.length).split('/');
    const isFile = statSync(source).isFile();
    for (let length = 1; length <= names.length; length += 1) {
      const path = join(run.directory, ...names.slice(0, length));
      await makeOne(path, isFile && length === names.length, target, user);
    }
  }
}

async function makeOne(
  path: string,
  isFile: boolean,
  target: string,
  user: SandboxUser | undefined,
): Promise<void> {
  try {
    const there = await lstat(path);
    if (isFile ? !there.isFile() : !there.isDirectory()) {
      throw new RuntimeError(`Something else is in the place of the dependency ${target}`, {
        userError: true,
      });
    }
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) {
      throw error;
    }
    await (isFile ? writeFile(path, '') : mkdir(path));
    if (user) {
      await lchown(path, user.uid, user.gid);
    }
  }
}
