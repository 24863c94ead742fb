/** Inputs of a run, or parts of a make, as typed, found on the server (cli.md §4.7). */
import { resolveBundles } from '@sheaf/client';
import {
  clashProblem,
  isUuid,
  parseTarget,
  validateDependencies,
  type BundleType,
  type TargetSpec,
  type TypedDependency,
} from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import type { Context } from '../context.ts';
import { UsageError, valueOf } from '../usage-error.ts';
import { placeOfTarget } from './target.ts';
import type { Place } from './place.ts';

export interface Dependency {
  readonly child_path: string;
  readonly parent_uuid: string;
  readonly parent_path: string;
}

interface Parsed {
  readonly key: string;
  readonly text: string;
  readonly target: TargetSpec;
}

/** So many are looked up with one request: they stand in its address. */
const specsAtOnce = 50;

/**
 * Each target is looked up on the worksheet it names, else on the command's; all of them at the same time.
 * @throws UsageError for keys that cannot stand beside each other or are none, and targets on other servers.
 */
export async function resolveDependencies(
  context: Context,
  type: BundleType,
  typed: readonly TypedDependency[],
  place: Place,
): Promise<Dependency[]> {
  const problem = clashProblem(
    type,
    typed.map(({ key }) => key),
  );
  if (problem !== undefined) throw new UsageError(problem);
  const parsed = typed.map(({ key, target }): Parsed => ({
    key,
    text: target,
    target: valueOf(parseTarget(target)),
  }));
  for (const { text, target } of parsed) {
    if (target.instance === undefined) continue;
    throw new UsageError(
      `${text} is on another server: inputs must be where the bundle is made.`,
      'Upload it to this server first.',
    );
  }
  const uuids = await uuidsOf(context, type, parsed, place);
  const dependencies = parsed.map(({ key, target }, at) => ({
    child_path: key,
    parent_uuid: uuids[at] ?? '',
    parent_path: target.subpath ?? '',
  }));
  const invalid = validateDependencies(type, dependencies);
  if (invalid !== undefined) throw new UsageError(invalid);
  return dependencies;
}

async function uuidsOf(
  context: Context,
  type: BundleType,
  parsed: readonly Parsed[],
  place: Place,
): Promise<string[]> {
  const uuids = parsed.map(({ target }) => target.bundle);
  const places = new Map<string, { place: Place; at: number[] }>();
  for (const [at, { target }] of parsed.entries()) {
    if (isUuid(target.bundle)) continue;
    const worksheet = JSON.stringify(target.worksheet ?? null);
    const known = places.get(worksheet);
    if (known === undefined)
      places.set(worksheet, { place: placeOfTarget(context, target, place), at: [at] });
    else known.at.push(at);
  }
  await Promise.all(
    [...places.values()].map(async (group) => {
      const worksheet = await group.place.uuid();
      for (let start = 0; start < group.at.length; start += specsAtOnce) {
        const chunk = group.at.slice(start, start + specsAtOnce);
        const specs = chunk.map((at) => uuids[at] ?? '');
        const found = await withHint(type, () => resolveBundles(group.place.client, specs, { worksheet }));
        for (const [index, at] of chunk.entries()) {
          const bundle = found[index];
          if (bundle === undefined)
            throw new SheafError('not-found', `There is no bundle ${parsed[at]?.text ?? ''}.`);
          uuids[at] = bundle.uuid;
        }
      }
    }),
  );
  return uuids;
}

async function withHint<Found>(type: BundleType, look: () => Promise<Found>): Promise<Found> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof SheafError) || error.code !== 'not-found' || type !== 'run') throw error;
    throw new SheafError('not-found', error.message, {
      next: 'In a command, `%…%` stands for an input: look whether a percent sign was meant as such. `cl ls` lists the bundles.',
      cause: error,
    });
  }
}
