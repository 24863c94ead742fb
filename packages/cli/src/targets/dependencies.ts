/** Inputs of a run as typed, found on the server (cli.md §4.7). */
import { resolveBundles } from '@sheaf/client';
import { clashProblem, isUuid, parseTarget, type TargetSpec, type TypedDependency } from '@sheaf/domain';
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

/**
 * Each target is looked up on the worksheet it names, else on the command's; all of them at the same time.
 * @throws UsageError for keys that cannot stand beside each other, and targets on other servers.
 */
export async function resolveDependencies(
  context: Context,
  typed: readonly TypedDependency[],
  place: Place,
): Promise<Dependency[]> {
  const problem = clashProblem(
    'run',
    typed.map(({ key }) => key),
  );
  if (problem !== undefined) throw new UsageError(problem);
  const parsed = typed.map(({ key, target }) => ({
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
  return Promise.all(
    parsed.map(async ({ key, text, target }) => ({
      child_path: key,
      parent_uuid: await uuidOf(context, target, place, text),
      parent_path: target.subpath ?? '',
    })),
  );
}

async function uuidOf(context: Context, target: TargetSpec, place: Place, text: string): Promise<string> {
  if (isUuid(target.bundle)) return target.bundle;
  const where = placeOfTarget(context, target, place);
  try {
    const [bundle] = await resolveBundles(where.client, [target.bundle], { worksheet: await where.uuid() });
    if (bundle !== undefined) return bundle.uuid;
    throw new SheafError('not-found', `There is no bundle ${text}.`);
  } catch (error) {
    if (!(error instanceof SheafError) || error.code !== 'not-found') throw error;
    throw new SheafError('not-found', error.message, {
      next: 'In a command, `%…%` stands for an input: look whether a percent sign was meant as such. `cl ls` lists the bundles.',
      cause: error,
    });
  }
}
