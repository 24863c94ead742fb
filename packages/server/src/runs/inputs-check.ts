/*
 * Looks at what new runs depend on before they are staged, so that one whose inputs are not there fails at once and in words, and
 * no worker is bothered. It reads trees, so it comes before the unit of work that stages; contents of final bundles never change.
 */
import { isOpen } from '../bundles/open-bundles.ts';
import { isFinal } from '@sheaf/domain';
import type { AnyQueries } from '../accounts/users.ts';
import { findBundles } from '../bundles/access.ts';
import { bundleState } from '../bundles/row.ts';
import type { BundleRow } from '../bundles/transition.ts';
import { dependenciesOf } from '../bundles/view.ts';
import type { DependencyEntries } from '../contents/dependency-entries.ts';
import { findInput, type Input } from '../contents/inputs.ts';
import { inChunks } from '../database/chunks.ts';
import type { Services } from '../services.ts';
import type { StagingCandidates } from './staging.ts';

export interface InputsFinding {
  /** Why the run can never find its inputs, in a sentence. */
  readonly problem: string | undefined;
  /** Bundles besides the parents that the inputs lie in: whoever runs it must be allowed to read them, too. */
  readonly holders: readonly string[];
}

/** Runs looked at in one pass; the others come with the next. */
const mostAtOnce = 2_000;
/** Runs that were staged by an earlier process; without this, their messages say less about their inputs. */
const mostStaged = 10_000;
const mostNamed = 3;

/**
 * A finding for each candidate that is a `created` run with only final parents. The first time, runs that wait for a worker
 * already are looked at as well, so that their messages can say what their inputs are.
 */
export async function checkInputs(
  services: Pick<Services, 'database' | 'log'>,
  entries: DependencyEntries,
  candidates: StagingCandidates,
): Promise<ReadonlyMap<string, InputsFinding>> {
  if (candidates.size === 0 && entries.caughtUp) return new Map();
  const { queries } = services.database;
  const children = await runsAmong(queries, candidates);
  if (!entries.caughtUp) {
    entries.caughtUp = true;
    children.push(...(await stagedRuns(queries)));
  }
  if (children.length === 0) return new Map();
  const dependencies = await dependenciesOf(queries, children);
  const parents = new Map<string, BundleRow>();
  for (const row of await findBundles(
    queries,
    dependencies.map(({ parent_uuid: parent }) => parent),
  ))
    parents.set(row.uuid, row);
  const byChild = new Map(children.map((uuid) => [uuid, [] as typeof dependencies]));
  for (const dependency of dependencies) byChild.get(dependency.child_uuid)?.push(dependency);
  const findings = new Map<string, InputsFinding>();
  for (const [uuid, inputs] of byChild) {
    const finding = await check(services, entries, inputs, parents);
    if (finding !== undefined) findings.set(uuid, finding);
  }
  return findings;
}

async function runsAmong(queries: AnyQueries, candidates: StagingCandidates): Promise<string[]> {
  const created = queries
    .selectFrom('bundle')
    .select('uuid')
    .where('state', '=', 'created')
    .where('bundle_type', '=', 'run');
  const rows = await inChunks([...candidates].slice(0, mostAtOnce), (chunk) =>
    created.where('uuid', 'in', chunk).execute(),
  );
  return rows.map(({ uuid }) => uuid);
}

async function stagedRuns(queries: AnyQueries): Promise<string[]> {
  const rows = await queries
    .selectFrom('bundle')
    .select('uuid')
    .where(isOpen())
    .where('state', '=', 'staged')
    .where('bundle_type', '=', 'run')
    .orderBy('id')
    .limit(mostStaged)
    .execute();
  return rows.map(({ uuid }) => uuid);
}

/** Undefined while a parent is not final, or is not there at all. */
async function check(
  services: Pick<Services, 'database' | 'log'>,
  entries: DependencyEntries,
  inputs: readonly { child_path: string; parent_uuid: string; parent_path: string }[],
  parents: ReadonlyMap<string, BundleRow>,
): Promise<InputsFinding | undefined> {
  const problems: string[] = [];
  const holders = new Set<string>();
  for (const { child_path: key, parent_uuid: parentUuid, parent_path: path } of inputs) {
    const parent = parents.get(parentUuid);
    if (parent === undefined || !isFinal(bundleState(parent))) return undefined;
    const input = await find(services, entries, parent, path);
    if (input.kind === 'nothing') problems.push(`Invalid dependency ${key}: ${input.why}.`);
    for (const holder of input.holders.slice(1)) holders.add(holder.uuid);
  }
  return { problem: sentence(problems), holders: [...holders] };
}

/** One parent whose contents are damaged must not keep all others from being staged. */
async function find(
  { database, log }: Pick<Services, 'database' | 'log'>,
  entries: DependencyEntries,
  parent: BundleRow,
  path: string,
): Promise<Input> {
  try {
    return await findInput(database.queries, entries, parent, path);
  } catch (error) {
    log.error({ err: error, bundle: parent.uuid, path }, 'the contents of a bundle cannot be read');
    return {
      kind: 'nothing',
      why: `the contents of ${parent.name}(${parent.uuid}) cannot be read`,
      holders: [],
    };
  }
}

function sentence(problems: readonly string[]): string | undefined {
  if (problems.length === 0) return undefined;
  const more = problems.length - mostNamed;
  const named = problems.slice(0, mostNamed).join(' ');
  return more > 0 ? `${named} ${more} more are not there either.` : named;
}
