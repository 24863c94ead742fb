/* Bundles whose parents are all there begin to wait for their turn (execution.md §11.1). */
import { isOpen } from '../bundles/open-bundles.ts';
import {
  finalStates,
  permissionRefusal,
  readPermission,
  stagingDecision,
  waitingForWorker,
  type BundleState,
  type BundleType,
  type Metadata,
  type StagingParent,
} from '@sheaf/domain';
import { sql } from 'kysely';
import { usersByIds, type AnyQueries } from '../accounts/users.ts';
import { findBundles, mayUserRead } from '../bundles/access.ts';
import { transition, transitionAll, type BundleRow, type Move } from '../bundles/transition.ts';
import { inChunks } from '../database/chunks.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { failDamaged, readableMetadata } from './damage.ts';
import { history, sentence } from './history.ts';
import type { InputsFinding } from './inputs-check.ts';

/** Which waiting bundles to look at. */
export type StagingCandidates = ReadonlySet<string>;

export interface Staged {
  /** Bundles that moved. */
  readonly moved: readonly string[];
  /** Runs that could be staged, but whose inputs nobody has looked at yet: they come with the next pass. */
  readonly unchecked: readonly string[];
}

/**
 * Stages or fails what is due.
 * @param findings about the inputs of runs, as `checkInputs` answers them
 */
export async function stageCreated(
  unit: UnitOfWork,
  candidates: StagingCandidates,
  findings: ReadonlyMap<string, InputsFinding>,
  now: number,
): Promise<Staged> {
  const orphans = await failOrphans(unit, candidates, now);
  const created = await createdBundles(unit, candidates);
  if (created.length === 0) return { moved: orphans, unchecked: [] };
  const dependencies = await dependenciesOf(unit, created);
  const parentUuids = [...dependencies.values()].flat();
  const holders = created.flatMap(({ uuid }) => findings.get(uuid)?.holders ?? []);
  const known = new Map(
    (await findBundles(unit.queries, [...parentUuids, ...holders])).map((row) => [row.uuid, row]),
  );
  const moved = [...orphans];
  const unchecked: string[] = [];
  const staged = { run: new Array<Move>(), make: new Array<Move>() };
  for (const child of created) {
    const metadata = readableMetadata(child);
    if (metadata === undefined) {
      if (await failDamaged(unit, child, ['created'], now)) moved.push(child.uuid);
      continue;
    }
    const parents = dependencies.get(child.uuid) ?? [];
    const inputs = { parents, known, finding: findings.get(child.uuid), metadata };
    const outcome = await judge(unit, child, inputs, now);
    if (outcome === 'failed') moved.push(child.uuid);
    if (outcome === 'unchecked') unchecked.push(child.uuid);
    if (outcome !== 'due') continue;
    const type = child.bundle_type === 'make' ? 'make' : 'run';
    staged[type].push(staging(child.uuid, type, parents.length > 0));
  }
  for (const type of ['run', 'make'] as const)
    moved.push(...(await transitionAll(unit, type, staged[type], now)).keys());
  return { moved, unchecked };
}

/** Runs that wait for a worker and whose parents were deleted by force: no worker could get them. */
async function failOrphans(unit: UnitOfWork, candidates: StagingCandidates, now: number): Promise<string[]> {
  const orphaned = unit.queries
    .selectFrom('bundle as child')
    .innerJoin('dependency', 'dependency.child_uuid', 'child.uuid')
    .leftJoin('bundle as parent', 'parent.uuid', 'dependency.parent_uuid')
    .select(['child.uuid', 'dependency.parent_uuid'])
    .where('child.state', '=', 'staged')
    .where('child.bundle_type', '=', 'run')
    .where('parent.uuid', 'is', null)
    .orderBy('dependency.id');
  const rows = await inChunks(candidates, (chunk) => orphaned.where('child.uuid', 'in', chunk).execute());
  const missing = new Map<string, StagingParent[]>();
  for (const { uuid, parent_uuid: parent } of rows)
    missing.set(uuid, [...(missing.get(uuid) ?? []), { uuid: parent, name: null, state: null }]);
  const failed: string[] = [];
  for (const [uuid, parents] of missing) {
    const decision = stagingDecision(parents, { allowFailed: true });
    if (
      decision.kind === 'fail' &&
      (await fail(unit, { uuid, type: 'run' }, 'staged', decision.message, now))
    )
      failed.push(uuid);
  }
  return failed;
}

async function fail(
  unit: UnitOfWork,
  child: { uuid: string; type: BundleType },
  state: 'created' | 'staged',
  message: string,
  now: number,
): Promise<boolean> {
  const failed = await transition(unit, {
    ...child,
    expected: [state],
    next: 'failed',
    changes: { metadata: { failure_message: message } },
    now,
    event: history('failed', sentence(message)),
  });
  return failed !== undefined;
}

/**
 * All that wait for parents which are all settled, or of which one has failed or is gone: those for which something is to be done,
 * should nobody have told.
 */
export async function overdue(queries: AnyQueries): Promise<string[]> {
  const parents = queries
    .selectFrom('dependency')
    .leftJoin('bundle as parent', 'parent.uuid', 'dependency.parent_uuid')
    .select('dependency.id')
    .where('dependency.child_uuid', '=', sql.ref<string>('child.uuid'));
  const unsettled = parents.where('parent.state', 'not in', finalStates);
  const gone = parents.where('parent.uuid', 'is', null);
  const spoilt = parents.where((of) =>
    of.or([of('parent.uuid', 'is', null), of('parent.state', 'in', ['failed', 'killed'])]),
  );
  const rows = await queries
    .selectFrom('bundle as child')
    .select('child.uuid')
    .where(isOpen('child'))
    .where('child.state', 'in', ['created', 'staged'])
    .where((of) =>
      of.or([
        of.and([of('child.state', '=', 'created'), of.not(of.exists(unsettled))]),
        of.and([of('child.state', '=', 'created'), of.exists(spoilt)]),
        of.and([of('child.state', '=', 'staged'), of.exists(gone)]),
      ]),
    )
    .orderBy('child.id')
    .execute();
  return rows.map(({ uuid }) => uuid);
}

/** The children that wait for a bundle, or for a worker. */
export async function waitingChildren(queries: AnyQueries, parents: Iterable<string>): Promise<string[]> {
  const rows = await inChunks(parents, (chunk) =>
    queries
      .selectFrom('dependency')
      .innerJoin('bundle', 'bundle.uuid', 'dependency.child_uuid')
      .select('dependency.child_uuid')
      .distinct()
      .where('dependency.parent_uuid', 'in', chunk)
      .where('bundle.state', 'in', ['created', 'staged'])
      .execute(),
  );
  return rows.map((row) => row.child_uuid);
}

async function createdBundles(unit: UnitOfWork, candidates: StagingCandidates): Promise<BundleRow[]> {
  const all = unit.queries.selectFrom('bundle').selectAll().where('state', '=', 'created').orderBy('id');
  const found = await inChunks(candidates, (chunk) => all.where('uuid', 'in', chunk).execute());
  return found.toSorted((one, other) => one.id - other.id);
}

async function dependenciesOf(
  unit: UnitOfWork,
  children: readonly BundleRow[],
): Promise<Map<string, string[]>> {
  const rows = await inChunks(
    children.map((child) => child.uuid),
    (chunk) =>
      unit.queries
        .selectFrom('dependency')
        .select(['child_uuid', 'parent_uuid'])
        .where('child_uuid', 'in', chunk)
        .orderBy('id')
        .execute(),
  );
  const parentsOf = new Map<string, string[]>();
  for (const row of rows) {
    const known = parentsOf.get(row.child_uuid);
    if (known === undefined) parentsOf.set(row.child_uuid, [row.parent_uuid]);
    else if (!known.includes(row.parent_uuid)) known.push(row.parent_uuid);
  }
  return parentsOf;
}

interface Inputs {
  readonly metadata: Metadata;
  readonly parents: readonly string[];
  /** Rows of all parents and holders that exist. */
  readonly known: ReadonlyMap<string, BundleRow>;
  readonly finding: InputsFinding | undefined;
}

/** What becomes of one; it fails here where nothing helps. */
async function judge(
  unit: UnitOfWork,
  child: BundleRow,
  { parents, known, finding, metadata }: Inputs,
  now: number,
): Promise<'due' | 'failed' | 'stays' | 'unchecked'> {
  const type = child.bundle_type as BundleType;
  const decision = stagingDecision(
    parents.map((uuid): StagingParent => {
      const parent = known.get(uuid);
      return { uuid, name: parent?.name ?? null, state: (parent?.state as BundleState | undefined) ?? null };
    }),
    {
      allowFailed: metadata['allow_failed_dependencies'] === true,
      permissionProblem: await permissionProblem(
        unit,
        child,
        [...parents, ...(finding?.holders ?? [])],
        known,
      ),
      inputProblem: finding?.problem,
    },
  );
  switch (decision.kind) {
    case 'wait':
      return 'stays';
    case 'stage':
      return type === 'run' && parents.length > 0 && finding === undefined ? 'unchecked' : 'due';
    case 'fail':
      return (await fail(unit, { uuid: child.uuid, type }, 'created', decision.message, now))
        ? 'failed'
        : 'stays';
    default:
      return decision satisfies never;
  }
}

function staging(uuid: string, type: 'run' | 'make', hasParents: boolean): Move {
  const text = `Everything it depends on is there; it waits ${type === 'run' ? 'for a worker' : 'to be made'}.`;
  return {
    uuid,
    from: 'created',
    next: 'staged',
    metadata: { staged_status: type === 'run' ? waitingForWorker : null },
    // Without inputs it was made a moment ago; the history says so already.
    ...(hasParents ? { event: history('staged', text) } : {}),
  };
}

/** The refusal of the bundles the owner may not read: parents, and what lies behind them. */
async function permissionProblem(
  unit: UnitOfWork,
  child: BundleRow,
  parentUuids: readonly string[],
  parents: ReadonlyMap<string, BundleRow>,
): Promise<string | undefined> {
  const refused: string[] = [];
  for (const uuid of parentUuids) {
    const parent = parents.get(uuid);
    if (parent === undefined || parent.owner_id === child.owner_id) continue;
    if (!(await mayUserRead(unit.queries, child.owner_id ?? '', parent))) refused.push(uuid);
  }
  if (refused.length === 0) return undefined;
  const owner = (await usersByIds(unit.queries, [child.owner_id ?? ''])).get(child.owner_id ?? '');
  return permissionRefusal({
    user: owner === undefined ? null : { name: owner.name, id: owner.id },
    kind: 'bundle',
    uuids: refused,
    have: 0,
    need: readPermission,
  });
}
