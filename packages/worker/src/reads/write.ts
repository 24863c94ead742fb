/** Writes a text into a file of a running bundle (execution.md §5.2). */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { openInside, type OpenDirectory } from './inside.ts';
import { dependencyPaths, readPath } from './read-path.ts';
import type { ReadableRun } from './read.ts';
import { ReadProblem } from './read-problem.ts';

const { O_WRONLY, O_CREAT, O_EXCL, O_TRUNC } = constants;

/** The text becomes the whole content; a path that is a dependency is left alone. @throws ReadProblem */
export async function writeText(
  run: Pick<ReadableRun, 'directory' | 'keys'>,
  subpath: string,
  text: string,
): Promise<void> {
  const components = readPath(subpath);
  const name = components.at(-1);
  if (name === undefined) throw new ReadProblem(404, 'A text cannot be written in place of the bundle.');
  if (dependencyPaths(run.keys).has(components.join('/'))) return;
  await using parent = await openInside(run.directory, components.slice(0, -1));
  if (await isThere(parent, name)) return await fill(parent, name, O_TRUNC, text);
  // A command that waits for the file must not find it empty.
  const temporary = `.${randomUUID()}.written`;
  try {
    await fill(parent, temporary, O_CREAT | O_EXCL, text);
    await parent.rename(temporary, name);
  } catch (error) {
    await parent.remove(temporary);
    throw error;
  }
}

async function isThere(parent: OpenDirectory, name: string): Promise<boolean> {
  try {
    await parent.stat(name);
    return true;
  } catch (error) {
    if (error instanceof ReadProblem && error.status === 404) return false;
    throw error;
  }
}

async function fill(parent: OpenDirectory, name: string, flags: number, text: string): Promise<void> {
  await using file = await parent.file(name, O_WRONLY | flags, 0o644);
  // A command that does not run as the worker's user must be able to change and remove it as its own.
  const [{ uid, gid }, own] = await Promise.all([parent.ownStat(), file.stat()]);
  if (process.getuid?.() === 0 && own.uid !== uid) await file.chown(uid, gid);
  await file.writeFile(text);
}
