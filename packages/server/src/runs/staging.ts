/* Bundles whose parents are all there begin to wait for their turn (execution.md §11.1). */
import {
  permissionRefusal,
  readPermission,
  stagingDecision,
  waitingForWorker,
  type BundleState,
  type BundleType,
  type StagingParent,
} from '@sheaf/domain';
import { usersByIds, type AnyQueries } from '../accounts/users.ts';
import { findBundles, mayUserRead } from '../bundles/access.ts';
import { transition, type BundleRow } from '../bundles/transition.ts';
import { inChunks } from '../database/chunks.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { history } from './history.ts';
import { metadataOf } from './metadata.ts';

/** Which `created` bundles to look at: these, or all there are. */
export type StagingCandidates = ReadonlySet<string> | 'all';

/** Stages or fails what is due. Answers how many bundles moved. */
export async function stageCreated(
  unit: UnitOfWork,
  candidates: StagingCandidates,
  now: number,
): Promise<number> {
  const created = await createdBundles(unit, candidates);
  if (created.length === 0) return 0;
  const dependencies = await dependenciesOf(unit, created);
  const parents = new Map(
    (await findBundles(unit.queries, [...dependencies.values()].flat())).map((row) => [row.uuid, row]),
  );
  let moved = 0;
  for (const child of created) {
    if (await stageOne(unit, child, dependencies.get(child.uuid) ?? [], parents, now)) moved += 1;
  }
  return moved;
}

/** The children that wait for a bundle. */
export async function waitingChildren(queries: AnyQueries, parents: Iterable<string>): Promise<string[]> {
  const rows = await inChunks(parents, (chunk) =>
    queries
      .selectFrom('dependency')
      .innerJoin('bundle', 'bundle.uuid', 'dependency.child_uuid')
      .select('dependency.child_uuid')
      .distinct()
      .where('dependency.parent_uuid', 'in', chunk)
      .where('bundle.state', '=', 'created')
      .execute(),
  );
  return rows.map((row) => row.child_uuid);
}

async function createdBundles(unit: UnitOfWork, candidates: StagingCandidates): Promise<BundleRow[]> {
  const all = unit.queries.selectFrom('bundle').selectAll().where('state', '=', 'created').orderBy('id');
  if (candidates === 'all') return await all.execute();
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

async function stageOne(
  unit: UnitOfWork,
  child: BundleRow,
  parentUuids: readonly string[],
  parents: ReadonlyMap<string, BundleRow>,
  now: number,
): Promise<boolean> {
  const type = child.bundle_type as BundleType;
  const decision = stagingDecision(
    parentUuids.map((uuid): StagingParent => {
      const parent = parents.get(uuid);
      return { uuid, name: parent?.name ?? null, state: (parent?.state as BundleState | undefined) ?? null };
    }),
    {
      allowFailed: metadataOf(child)['allow_failed_dependencies'] === true,
      permissionProblem: await permissionProblem(unit, child, parentUuids, parents),
    },
  );
  switch (decision.kind) {
    case 'wait':
      return false;
    case 'stage':
      return (
        (await transition(unit, {
          uuid: child.uuid,
          type,
          expected: ['created'],
          next: 'staged',
          changes: { metadata: { staged_status: type === 'run' ? waitingForWorker : null } },
          now,
        })) !== undefined
      );
    case 'fail':
      return (
        (await transition(unit, {
          uuid: child.uuid,
          type,
          expected: ['created'],
          next: 'failed',
          changes: { metadata: { failure_message: decision.message } },
          now,
          event: history('failed', decision.message),
        })) !== undefined
      );
    default:
      return decision satisfies never;
  }
}

/** The refusal of the first parents the owner may not read. */
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
