/** Dependencies as runs ask for them, and as they get them. */
import type { Entry } from '@sheaf/trees';
import type { CacheableEntry } from './entry-name.ts';

export interface WantedDependency {
  readonly parentUuid: string;
  readonly parentPath: string;
  /** What it stands for, where the server has said so. */
  readonly entry: Entry | undefined;
}

export interface CachedDependency {
  readonly name: string;
  /** Host path of a file or directory that must not be written to. */
  readonly path: string;
  /** Names in the directory; undefined for a file. */
  readonly names: readonly string[] | undefined;
}

/** The dependency cannot be used, whoever tries. */
export class DependencyProblem extends Error {
  override readonly name = 'DependencyProblem';
}

/** @throws DependencyProblem */
export function cacheable(entry: Entry): CacheableEntry {
  if (entry.kind !== 'link') return entry;
  throw new DependencyProblem(`it is a link to ${entry.target}, which leads out of its bundle`);
}
