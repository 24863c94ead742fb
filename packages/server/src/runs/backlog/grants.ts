/* Who else may control waiting runs: only `all` on a bundle lets somebody's workers take it (execution.md §13.5). */
import { isOpen } from '../../bundles/open-bundles.ts';
import { allPermission } from '@sheaf/domain';
import { inChunks } from '../../database/chunks.ts';
import type { UnitOfWork } from '../../database/unit-of-work.ts';

/** For each of the bundles that has any, the groups that have everything on it, sorted. */
export async function readGrants(
  unit: UnitOfWork,
  uuids: Iterable<string>,
): Promise<Map<string, readonly string[]>> {
  const rows = await inChunks(uuids, (chunk) =>
    unit.queries
      .selectFrom('bundle_permission')
      .select(['bundle_uuid', 'group_uuid'])
      .where('bundle_uuid', 'in', chunk)
      .where('permission', '=', allPermission)
      .orderBy('group_uuid')
      .execute(),
  );
  return grouped(rows);
}

/** The same for all runs that wait. */
export async function readAllGrants(unit: UnitOfWork): Promise<Map<string, readonly string[]>> {
  const rows = await unit.queries
    .selectFrom('bundle')
    .innerJoin('bundle_permission', 'bundle_permission.bundle_uuid', 'bundle.uuid')
    .select(['bundle_permission.bundle_uuid', 'bundle_permission.group_uuid'])
    .where(isOpen())
    .where('bundle.state', '=', 'staged')
    .where('bundle_permission.permission', '=', allPermission)
    .orderBy('bundle_permission.group_uuid')
    .execute();
  return grouped(rows);
}

function grouped(
  rows: readonly { bundle_uuid: string; group_uuid: string }[],
): Map<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const { bundle_uuid: bundle, group_uuid: group } of rows) {
    const known = groups.get(bundle);
    if (known === undefined) groups.set(bundle, [group]);
    else known.push(group);
  }
  return groups;
}

/** The owners of workers that are in each group; everybody is in the public ones. */
export async function readControllers(
  unit: UnitOfWork,
  workerOwners: ReadonlySet<string>,
): Promise<(grants: readonly string[]) => ReadonlySet<string>> {
  const members = new Map<string, Set<string>>();
  const open = new Set<string>();
  if (workerOwners.size > 0) {
    const rows = await inChunks(workerOwners, (chunk) =>
      unit.queries
        .selectFrom('group_member')
        .select(['group_uuid', 'user_id'])
        .where('user_id', 'in', chunk)
        .execute(),
    );
    for (const { group_uuid: group, user_id: user } of rows) {
      const known = members.get(group);
      if (known === undefined) members.set(group, new Set([user]));
      else known.add(user);
    }
    const publicGroups = await unit.queries
      .selectFrom('user_group')
      .select('uuid')
      .where('user_defined', '=', 0)
      .execute();
    for (const { uuid } of publicGroups) open.add(uuid);
  }
  return (grants) => {
    if (grants.length === 0) return nobody;
    if (grants.some((group) => open.has(group))) return workerOwners;
    return new Set(grants.flatMap((group) => [...(members.get(group) ?? [])]));
  };
}

const nobody: ReadonlySet<string> = new Set();
