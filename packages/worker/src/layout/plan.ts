/** Decides where dependencies are mounted and which links lead to them (execution.md §20.2). */
import { assertNever } from '@sheaf/domain';
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

/** Every key is mounted, also where several stand for the same contents. @throws LayoutProblem */
export function planLayout(uuid: string, dependencies: readonly PlacedDependency[]): Layout {
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
        place(source, parsed.components.join('/'));
        break;
      case 'absolute':
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
        links.push(...names.map((name) => ({ path: name, target: `${all}/${name}` })));
        break;
      }
      default:
        assertNever(parsed);
    }
  }
  return { mounts, links };
}
