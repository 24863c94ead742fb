import { joinPaths, pathComponents, startsWithComponents } from './key-path.ts';

/** A path of a bundle that is found in one of its dependencies. */
export interface DependencyMatch<Dependency> {
  dependency: Dependency;
  /** Where to look in the parent: its `parent_path` and what is left of the path. Empty for its root. */
  parentPath: string;
}

/**
 * The dependency that a path of the child falls into (bundles.md §13.1): the one whose key is the longest prefix of the path,
 * compared component by component. Absolute keys lie outside the bundle and are never found; the key `.` has
 * entries, but is not the root of its child.
 */
export function matchDependency<Dependency extends { child_path: string; parent_path: string }>(
  path: string,
  dependencies: readonly Dependency[],
): DependencyMatch<Dependency> | undefined {
  const components = pathComponents(path);
  // A path that climbs could be read differently by whoever resolves it: no dependency answers for it.
  if (components.includes('..')) return undefined;
  let longest = -1;
  let match: DependencyMatch<Dependency> | undefined;
  for (const dependency of dependencies) {
    const { child_path: key, parent_path: parentPath } = dependency;
    const prefix = pathComponents(key);
    if (key.startsWith('/') || prefix.length <= longest || !startsWithComponents(components, prefix))
      continue;
    if (components.length === 0 && key !== '') continue;
    longest = prefix.length;
    match = { dependency, parentPath: joinPaths(parentPath, ...components.slice(prefix.length)) };
  }
  return match;
}
