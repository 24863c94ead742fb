/** `cl run --memoize`: a run that need not be executed again (cli.md §8.3, docs/decisions/0721-action-key.md). */
import { findSameResult, findSameRuns, type NewBundle, type RestClient } from '@sheaf/client';
import { SheafError } from '@sheaf/wire';
import type { Dependency } from './dependencies.ts';

export interface Memoized {
  readonly uuid: string;
  /** Not final yet. */
  readonly underWay: boolean;
  /** One line for the user: what was taken, and how to have it executed all the same. */
  readonly note: string;
}

type Run = NewBundle & { readonly command: string; readonly dependencies: readonly Dependency[] };

/** @returns the run to take; else a reason why there can be none, where there is one. */
export async function findMemoized(
  client: RestClient,
  run: Run,
): Promise<Memoized | { reason?: string | undefined }> {
  try {
    const found = await findSameResult(client, run);
    if (found.kind === 'none') return { reason: found.reason };
    const { uuid, state, metadata } = found.bundle;
    const underWay = found.kind === 'in-flight';
    return memoized(
      uuid,
      String(metadata['name']),
      underWay ? `is ${state ?? 'waiting'} already` : undefined,
    );
  } catch (error) {
    // Original servers do not know the question.
    if (!(error instanceof SheafError) || (error.status !== 404 && error.status !== 405)) throw error;
    return await findByUuids(client, run);
  }
}

/** The latest bundle with the same command on the same bundles that did not go wrong. */
async function findByUuids(
  client: RestClient,
  { command, dependencies }: Run,
): Promise<Memoized | { reason?: undefined }> {
  const pairs = dependencies.map(({ child_path, parent_uuid }) => ({ child_path, parent_uuid }));
  const pathOf = new Map(dependencies.map((one) => [one.child_path, one.parent_path]));
  const same = (await findSameRuns(client, command, pairs)).filter(
    (bundle) =>
      bundle.state !== 'failed' &&
      bundle.state !== 'killed' &&
      bundle.dependencies.every((one) => pathOf.get(one.child_path) === one.parent_path),
  );
  const last = same.at(-1);
  if (last === undefined) return {};
  const underWay = last.state !== 'ready';
  return memoized(
    last.uuid,
    String(last.metadata['name']),
    underWay ? `is ${last.state ?? 'waiting'} already` : undefined,
  );
}

function memoized(uuid: string, name: string, progress: string | undefined): Memoized {
  const what = progress === undefined ? 'Took the former result of' : 'Took the same run that';
  const which = progress === undefined ? `${name}(${uuid})` : `${progress}, ${name}(${uuid})`;
  return {
    uuid,
    underWay: progress !== undefined,
    note: `${what} ${which}: to run it again, leave out --memoize.`,
  };
}
