/** Makes and removes the links to dependencies in a run directory; nothing outside of it is ever touched. */
import { lstat, mkdir, readlink, rmdir, symlink, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCode } from '../errors.ts';
import { LayoutProblem, type DependencyLink } from './plan.ts';

/**
 * What an earlier attempt has made for the same dependencies is made anew (execution.md §20.2).
 * @returns the directories that were made for the links, outermost first, relative to the run directory.
 * @throws LayoutProblem where a link's place is taken by what an earlier attempt wrote.
 */
export async function makeLinks(directory: string, links: readonly DependencyLink[]): Promise<string[]> {
  await removeLinks(directory, links, [...new Set(links.flatMap(({ path }) => parentsOf(path)))]);
  const made: string[] = [];
  for (const { path, target } of links) {
    for (const parent of parentsOf(path)) {
      if (await makeDirectory(directory, parent)) made.push(parent);
    }
    await makeLink(directory, path, target);
  }
  return made;
}

/** Removes the links that still lead to their dependency, and then directories made for them that hold nothing else. */
export async function removeLinks(
  directory: string,
  links: readonly DependencyLink[],
  made: readonly string[],
): Promise<void> {
  for (const { path, target } of links) {
    if (!(await isInside(directory, path))) continue;
    if ((await linkTarget(join(directory, path))) === target) await unlink(join(directory, path));
  }
  for (const parent of made.toReversed()) {
    if (await isInside(directory, `${parent}/x`)) await removeIfEmpty(join(directory, parent));
  }
}

async function makeDirectory(directory: string, path: string): Promise<boolean> {
  const absolute = join(directory, path);
  try {
    await mkdir(absolute);
    return true;
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
  if ((await lstat(absolute)).isDirectory()) return false;
  throw new LayoutProblem(
    `The dependency below ${path} has no place: the run's directory holds a file of that name`,
  );
}

async function makeLink(directory: string, path: string, target: string): Promise<void> {
  const absolute = join(directory, path);
  try {
    await symlink(target, absolute);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    // An attempt before this one left its link (execution.md §20.2).
    if ((await linkTarget(absolute)) === undefined) {
      throw new LayoutProblem(
        `The dependency ${path} has no place: the run's directory holds a file of that name`,
      );
    }
    await unlink(absolute);
    await symlink(target, absolute);
  }
}

/** Undefined where there is nothing, or no link. */
async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'EINVAL') return undefined;
    throw error;
  }
}

/** Whether the way to a path still leads through real directories: the command may have put links in their place. */
async function isInside(directory: string, path: string): Promise<boolean> {
  for (const parent of parentsOf(path)) {
    try {
      if (!(await lstat(join(directory, parent))).isDirectory()) return false;
    } catch (error) {
      if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return false;
      throw error;
    }
  }
  return true;
}

async function removeIfEmpty(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST' && code !== 'ENOENT') throw error;
  }
}

/** `a/b/c` → `a`, `a/b`. */
function parentsOf(path: string): string[] {
  const parents: string[] = [];
  for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) parents.unshift(parent);
  return parents;
}
