import { isUuid } from '../ids.ts';
import type { BundleType } from '../bundle/states.ts';
import { isUploadedType } from '../bundle/metadata-key.ts';
import { pathComponents } from './key-path.ts';

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
 * run's directory and is no ancestor of other keys; an empty key (or `.` of a make) is the whole bundle. Costs what the keys
 * are long, however many there are.
 */
export function clashProblem(type: BundleType, keys: readonly string[]): string | undefined {
  const relative = newPlace();
  const absolute = newPlace();
  for (const key of keys) {
    const problem = claimPlace(key.startsWith('/') ? absolute : relative, key);
    if (problem !== undefined) return problem;
  }
  const whole = relative.key;
  if (whole === undefined || keys.length === 1) return undefined;
  return type === 'make' || whole === '' ? onlyWithKeys : undefined;
}

const onlyWithKeys = 'Must specify keys when packaging multiple targets!';

/** A directory that keys lead through, and the key that leads to it. */
interface Place {
  key: string | undefined;
  readonly below: Map<string, Place>;
}

function newPlace(): Place {
  return { key: undefined, below: new Map() };
}

function claimPlace(root: Place, key: string): string | undefined {
  const components = pathComponents(key);
  let place = root;
  for (const component of components) {
    if (place !== root && place.key !== undefined) return ancestorProblem(place.key, key);
    const next = place.below.get(component) ?? newPlace();
    place.below.set(component, next);
    place = next;
  }
  if (place.key !== undefined) return key === '' ? onlyWithKeys : `Duplicate key: ${key}`;
  if (place !== root && place.below.size > 0) return ancestorProblem(key, anyKeyBelow(place));
  place.key = key;
  return undefined;
}

function ancestorProblem(shorter: string, longer: string): string {
  return `Key ${shorter} is an ancestor of key ${longer}`;
}

/** Every place without a key of its own leads to one. */
function anyKeyBelow(place: Place): string {
  let here = place;
  while (here.key === undefined) {
    const [next] = here.below.values();
    if (next === undefined) return '';
    here = next;
  }
  return here.key;
}
