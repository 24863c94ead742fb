/* Reads of waiting runs what a pass decides by (execution.md §13). */
import { askedOf, dependencyCacheKey, priorityOf, type PlanDependency } from '@sheaf/domain';
import type { DependencyEntries } from '../../contents/dependency-entries.ts';
import { inChunks } from '../../database/chunks.ts';
import type { UnitOfWork } from '../../database/unit-of-work.ts';
import { readableMetadata } from '../damage.ts';
import { readAttempts } from './attempts.ts';
import type { WaitingRun } from './backlog.ts';
import { readGrants } from './grants.ts';

/** Rows in memory at once; each is let go of when the little that is kept has been taken from it. */
const mostRows = 2000;

const noDependencies: readonly PlanDependency[] = [];
const noGrants: readonly string[] = [];

/** Those of the runs that wait for a worker. */
export async function readWaiting(
  unit: UnitOfWork,
  entries: DependencyEntries,
  uuids: readonly string[],
): Promise<WaitingRun[]> {
  const waiting: WaitingRun[] = [];
  for (let start = 0; start < uuids.length; start += mostRows)
    waiting.push(...(await readSome(unit, entries, uuids.slice(start, start + mostRows))));
  return waiting;
}

async function readSome(
  unit: UnitOfWork,
  entries: DependencyEntries,
  uuids: readonly string[],
): Promise<WaitingRun[]> {
  const rows = await unit.queries
    .selectFrom('bundle')
    .select(['id', 'uuid', 'version', 'owner_id', 'epoch', 'metadata'])
    .where('uuid', 'in', uuids)
    .where('state', '=', 'staged')
    .where('bundle_type', '=', 'run')
    .execute();
  const there = rows.map(({ uuid }) => uuid);
  const dependencies = await readDependencies(unit, entries, there);
  const grants = await readGrants(unit, there);
  // Only runs that were assigned before can have been restarted.
  const tried = rows.filter(({ epoch }) => epoch > 0);
  const attempts = await readAttempts(
    unit,
    tried.map(({ uuid }) => uuid),
  );
  return rows.map((row): WaitingRun => {
    const metadata = readableMetadata(row);
    return {
      uuid: row.uuid,
      place: row.id,
      version: row.version,
      ownerId: row.owner_id ?? '',
      asked: metadata === undefined ? undefined : askedOf(metadata),
      priority: metadata === undefined ? 0 : priorityOf(metadata),
      dependencies: dependencies.get(row.uuid) ?? noDependencies,
      grants: grants.get(row.uuid) ?? noGrants,
      attempts: attempts.get(row.uuid),
    };
  });
}

async function readDependencies(
  unit: UnitOfWork,
  entries: DependencyEntries,
  uuids: readonly string[],
): Promise<Map<string, PlanDependency[]>> {
  const rows = await inChunks(uuids, (chunk) =>
    unit.queries
      .selectFrom('dependency')
      .leftJoin('bundle as parent', 'parent.uuid', 'dependency.parent_uuid')
      .select([
        'dependency.child_uuid',
        'dependency.parent_uuid',
        'dependency.parent_path',
        'parent.data_size',
        'parent.root_entry',
        'parent.contents_digest',
      ])
      .where('dependency.child_uuid', 'in', chunk)
      .orderBy('dependency.id')
      .execute(),
  );
  const byChild = new Map<string, PlanDependency[]>();
  for (const row of rows) {
    const key = dependencyCacheKey(row.parent_uuid, row.parent_path);
    const bytes = dependencyBytes(entries, row);
    const known = byChild.get(row.child_uuid);
    if (known === undefined) byChild.set(row.child_uuid, [{ key, bytes }]);
    // Mounted twice, it still travels once.
    else if (!known.some((other) => other.key === key)) known.push({ key, bytes });
  }
  return byChild;
}

/** What a worker without it has to fetch; a part of a parent whose size is not known counts as the whole parent. */
function dependencyBytes(
  entries: DependencyEntries,
  row: {
    parent_path: string;
    data_size: number | null;
    root_entry: string | null;
    contents_digest: string | null;
  },
): number {
  const part = row.parent_path === '' ? undefined : entries.known(row, row.parent_path);
  if (part === undefined) return row.data_size ?? 0;
  return part.kind === 'link' ? 0 : part.size;
}
