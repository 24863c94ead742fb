/* Finds or makes the paths at which a worker on the shared filesystem sees what a run depends on (execution.md §24). */
import { PathError, resolvePath, type Trees } from '@sheaf/trees';
import type { RunDependency } from '@sheaf/wire';
import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { findBundles } from '../../bundles/access.ts';
import type { BundleRow } from '../../bundles/transition.ts';
import { linkedPath, linkOf } from '../../contents/linked.ts';
import { storedEntry } from '../../contents/stored.ts';
import type { Services } from '../../services.ts';
import type { SharedDirectories } from './directories.ts';

/** Nobody will ever find the dependency: the run fails. */
export class DependencyPlaceError extends Error {
  override readonly name = 'DependencyPlaceError';
}

export interface Places {
  /** In the order of the dependencies: what the worker joins with the path inside the parent. */
  readonly locations: readonly string[];
  /** Names of laid-out contents; each to be released once the run's record has them. */
  readonly contents: readonly string[];
}

interface Tools {
  readonly services: Pick<Services, 'database' | 'settings'>;
  readonly directories: SharedDirectories;
  readonly trees: Trees;
}

/** @throws DependencyPlaceError; BlobMissingError, StorageFullError and the like, after which another attempt may succeed */
export async function placeDependencies(
  tools: Tools,
  dependencies: readonly RunDependency[],
): Promise<Places> {
  const rows = await findBundles(
    tools.services.database.queries,
    dependencies.map(({ parent_uuid: uuid }) => uuid),
  );
  const parents = new Map(rows.map((row) => [row.uuid, row]));
  const locations: string[] = [];
  const contents: string[] = [];
  try {
    for (const dependency of dependencies) {
      const found = await placeOne(tools, dependency, parents.get(dependency.parent_uuid));
      locations.push(found.path);
      if (found.name !== undefined) contents.push(found.name);
    }
  } catch (error) {
    for (const name of contents) tools.directories.release(name);
    throw error;
  }
  return { locations, contents };
}

async function placeOne(
  { services, directories, trees }: Tools,
  { child_path: key, parent_path: path, parent_uuid: uuid }: RunDependency,
  parent: BundleRow | undefined,
): Promise<{ path: string; name?: string }> {
  if (parent === undefined) throw problem(key, `there is no bundle ${uuid} any more`);
  const link = linkOf(parent);
  try {
    if (link !== undefined) {
      const place = await linkedPath(services.settings.linkRoots, link, path);
      // The worker goes where the last link leads; from here that must not be anywhere else.
      if ((await realpath(place)) !== place) throw problem(key, `${path} is a link`);
      return { path: resolve(link) };
    }
    const root = storedEntry(parent);
    if (root === undefined) throw problem(key, `bundle ${uuid} has no contents`);
    const { entry } = await resolvePath(trees, root, path);
    if (root.kind === 'link' || entry.kind === 'link') {
      throw problem(key, `${path === '' ? 'the bundle' : path} is a link`);
    }
    return await directories.layOut(root);
  } catch (error) {
    if (error instanceof PathError) throw problem(key, error.message, error);
    throw error;
  }
}

function problem(key: string, reason: string, cause?: unknown): DependencyPlaceError {
  return new DependencyPlaceError(`Failed to download dependency ${key}: ${reason}`, { cause });
}
