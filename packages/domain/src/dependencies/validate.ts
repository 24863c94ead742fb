import { isUuid } from '../ids.ts';
import type { BundleType } from '../bundle/states.ts';
import { isUploadedType } from '../bundle/metadata-key.ts';
import { pathComponents, startsWithComponents } from './key-path.ts';

/** A dependency as a client asks for it; names as they cross the wire. */
export interface DependencyInput {
  child_path: string;
  parent_uuid: string;
  parent_path: string;
}

const keyPattern = /^[a-zA-Z0-9_\-./]*$/;

/**
 * The first thing wrong with the dependencies of a new bundle, or undefined (bundles.md §7.2). What could only fail later is
 * refused here: keys that leave the run's directory, that stand in each other's way, or that are no place at all.
 */
export function validateDependencies(
  type: BundleType,
  dependencies: readonly DependencyInput[],
): string | undefined {
  if (isUploadedType(type) && dependencies.length > 0) return `A ${type} has no dependencies`;
  for (const dependency of dependencies) {
    const problem = dependencyProblem(type, dependency);
    if (problem !== undefined) return problem;
  }
  return clashProblem(
    type,
    dependencies.map(({ child_path: key }) => key),
  );
}

function dependencyProblem(type: BundleType, dependency: DependencyInput): string | undefined {
  const { child_path: key, parent_uuid: parentUuid, parent_path: parentPath } = dependency;
  if (!isUuid(parentUuid)) return `Invalid parent_uuid: ${parentUuid}, must match ^0x[0-9a-f]{32}$`;
  if (parentPath.includes('\0')) return 'parent_path must not contain a NUL character';
  if (parentPath.split('/').includes('..')) return `parent_path must not contain '..': ${parentPath}`;
  if (!keyPattern.test(key) || key.endsWith('\n'))
    return `child_path must match ${keyPattern.source}, was ${key}`;
  if (key === '') return type === 'run' ? 'child_path empty' : undefined;
  if (key.split('/').includes('..')) return `child_path must not contain '..': ${key}`;
  if (key.startsWith('/') && type === 'make')
    return `child_path of a make bundle must not be absolute: ${key}`;
  if (key.startsWith('/') && pathComponents(key).length === 0)
    return `child_path must name a place below /: ${key}`;
  return undefined;
}

/**
 * Two keys that cannot stand beside each other, in words, or undefined. The key `.` of a run spreads its entries over the
 * run's directory and is no ancestor of other keys; an empty key (or `.` of a make) is the whole bundle.
 */
export function clashProblem(type: BundleType, keys: readonly string[]): string | undefined {
  const places = keys.map((key) => ({ key, absolute: key.startsWith('/'), components: pathComponents(key) }));
  for (const [at, one] of places.entries()) {
    for (const other of places.slice(at + 1)) {
      if (one.absolute !== other.absolute) continue;
      const [shorter, longer] =
        one.components.length <= other.components.length ? [one, other] : [other, one];
      if (!startsWithComponents(longer.components, shorter.components)) continue;
      if (shorter.components.length === longer.components.length) {
        return shorter.key === ''
          ? 'Must specify keys when packaging multiple targets!'
          : `Duplicate key: ${longer.key}`;
      }
      if (shorter.components.length > 0) return `Key ${shorter.key} is an ancestor of key ${longer.key}`;
      if (type === 'make') return 'Must specify keys when packaging multiple targets!';
    }
  }
  return undefined;
}
