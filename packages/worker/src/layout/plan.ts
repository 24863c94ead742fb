/** Decides where dependencies are mounted and which links lead to them (execution.md §20.2). */
import { assertNever, clashProblem } from '@sheaf/domain';
import type { RunMount } from '@sheaf/runtimes';
import { parseKey } from './keys.ts';

export interface PlacedDependency {
  /** The key as the user gave it. */
  readonly key: string;
  /** Host path of the contents: a file or a directory. */
  readonly source: string;
  /** Names in the directory; undefined for a file. */
  readonly names: readonly string[] | undefined;
}

/** A symbolic link in the run directory. */
export interface DependencyLink {
  /** Relative to the run directory. */
  readonly path: string;
  readonly target: string;
}

export interface Layout {
  readonly mounts: readonly RunMount[];
  readonly links: readonly DependencyLink[];
}

/** A key that cannot be laid out: the user's request is to blame. */
export class LayoutProblem extends Error {
  override readonly name = 'LayoutProblem';
}

/** Files that the command's own output goes to. */
const outputs: readonly string[] = ['stdout', 'stderr'];

/**
 * Every key is mounted, also where several stand for the same contents. What a `.` brings along under the name of the run's own
 * output, as the contents of another run do, is left out.
 * @throws LayoutProblem
 */
export function planLayout(uuid: string, dependencies: readonly PlacedDependency[]): Layout {
  const clash = clashProblem(
    'run',
    dependencies.map(({ key }) => key),
  );
  if (clash !== undefined)
    throw new LayoutProblem(`The dependencies cannot stand beside each other: ${clash}`);
  const root = `/${uuid}_dependencies`;
  const mounts: RunMount[] = [];
  const links: DependencyLink[] = [];
  const place = (source: string, path: string) => {
    mounts.push({ source, target: `${root}/${path}` });
    links.push({ path, target: `${root}/${path}` });
  };
  for (const { key, source, names } of dependencies) {
    const parsed = parseKey(key);
    if (parsed === undefined)
      throw new LayoutProblem(`The dependency key ${key} leads out of the run's directory`);
    switch (parsed.kind) {
      case 'inside':
        requirePlaceBesideOutput(key, parsed.components[0]);
        place(source, parsed.components.join('/'));
        break;
      case 'absolute':
        requirePlaceInImage(uuid, key, parsed.path);
        mounts.push({ source, target: parsed.path });
        break;
      case 'all': {
        if (names === undefined) {
          throw new LayoutProblem(
            `The dependency ${key} is a file; only a directory can fill the run's directory`,
          );
        }
        // One mount for all, however many entries there are. Never an entry by itself: it may be a link, which a mount would
        // follow on this machine.
        const all = dependencies.length === 1 ? root : `${root}_all`;
        mounts.push({ source, target: all });
        for (const name of names) {
          if (!outputs.includes(name)) links.push({ path: name, target: `${all}/${name}` });
        }
        break;
      }
      default:
        assertNever(parsed);
    }
  }
  requireOneMeaning(links);
  return { mounts, links };
}

function requirePlaceBesideOutput(key: string, first: string | undefined): void {
  if (first === undefined || !outputs.includes(first)) return;
  throw new LayoutProblem(`The dependency key ${key} is where the run's own output goes; choose another`);
}

function requirePlaceInImage(uuid: string, key: string, path: string): void {
  const taken = [`/${uuid}`, `/${uuid}_dependencies`, `/${uuid}_dependencies_all`, '/proc', '/sys'];
  if (!taken.some((place) => path === place || path.startsWith(`${place}/`))) return;
  throw new LayoutProblem(`The dependency key ${key} is a place that every container needs for itself`);
}

/** An entry that `.` brings along may have the name of another key. */
function requireOneMeaning(links: readonly DependencyLink[]): void {
  const seen = new Set<string>();
  const first = ({ path }: DependencyLink) => path.split('/')[0] ?? '';
  for (const link of links)
    if (!link.path.includes('/')) {
      if (seen.has(link.path)) throw twice(link.path);
      seen.add(link.path);
    }
  for (const link of links) if (link.path.includes('/') && seen.has(first(link))) throw twice(first(link));
}

function twice(name: string): LayoutProblem {
  return new LayoutProblem(
    `The dependency . has an entry ${name}, and another dependency has that key; choose another key`,
  );
}
