/** Paths that readers ask for, relative to the root of a bundle (execution.md §23). */
import { pathComponents } from '@sheaf/domain';
import { ReadProblem } from './read-problem.ts';

/** @throws ReadProblem 404 on paths that lead out of the bundle. */
export function readPath(text: string): string[] {
  const kept: string[] = [];
  if (text.includes('\0')) throw outside(text);
  for (const component of pathComponents(text)) {
    if (component !== '..') kept.push(component);
    else if (kept.pop() === undefined) throw outside(text);
  }
  return kept;
}

function outside(text: string): ReadProblem {
  return new ReadProblem(404, `${text.replaceAll('\0', '')} is not inside the bundle.`);
}

/** The paths under which a run sees its dependencies: not its own contents, so they are neither listed nor read. */
export function dependencyPaths(keys: readonly string[]): ReadonlySet<string> {
  return new Set(keys.map((key) => pathComponents(key).join('/')).filter((path) => path !== ''));
}
