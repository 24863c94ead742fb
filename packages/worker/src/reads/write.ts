/** Writes a text into a file of a running bundle (execution.md §5.2). */
import { constants } from 'node:fs';
import { openInside } from './inside.ts';
import { dependencyPaths, readPath } from './read-path.ts';
import type { ReadableRun } from './read.ts';
import { ReadProblem } from './read-problem.ts';

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
  const { O_WRONLY, O_CREAT, O_TRUNC } = constants;
  await using file = await parent.file(name, O_WRONLY | O_CREAT | O_TRUNC, 0o644);
  // A command that does not run as the worker's user must be able to change and remove it as its own.
  const [{ uid, gid }, own] = await Promise.all([parent.ownStat(), file.stat()]);
  if (process.getuid?.() === 0 && own.uid !== uid) await file.chown(uid, gid);
  await file.writeFile(text);
}
