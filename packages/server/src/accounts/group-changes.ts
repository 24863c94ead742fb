/* Making and changing groups (rest-api.md §7.2). */
import { nameProblem } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import { sql } from 'kysely';
import { lockNames } from '../database/name-lock.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { UserViewer } from '../http/viewer.ts';
import type { Ids } from '../services.ts';
import type { GroupRow } from './groups.ts';
import { usersByIds, type AnyQueries } from './users.ts';

/** @throws SheafError `invalid-request` for a malformed name, `conflict` for a taken one */
export async function createGroup(
  unit: UnitOfWork,
  viewer: UserViewer,
  name: string,
  ids: Ids,
): Promise<GroupRow> {
  const problem = nameProblem('group', name);
  if (problem !== undefined) throw new SheafError('invalid-request', problem);
  await lockNames(unit);
  const taken = await unit.queries
    .selectFrom('user_group')
    .select('uuid')
    .where(sql<string>`lower(name)`, '=', name.toLowerCase())
    .executeTakeFirst();
  if (taken !== undefined) throw new SheafError('conflict', `Group with name ${name} already exists`);
  const group = await unit.queries
    .insertInto('user_group')
    .values({ uuid: ids.uuid(), name, owner_id: viewer.id, user_defined: 1 })
    .returningAll()
    .executeTakeFirstOrThrow();
  await setMembers(unit, group, [viewer.id], true);
  return group;
}

/** @throws SheafError `permission-denied` unless root, owner or admin; never for a system group */
export async function requireGroupAdmin(
  queries: AnyQueries,
  viewer: UserViewer,
  group: GroupRow,
): Promise<void> {
  if (group.user_defined === 0) {
    throw new SheafError(
      'permission-denied',
      `Group ${group.name} belongs to the system and cannot be changed.`,
      {
        next: 'Create a group of your own with `cl gnew`.',
      },
    );
  }
  if (viewer.isRoot || group.owner_id === viewer.id) return;
  const membership = await queries
    .selectFrom('group_member')
    .select('is_admin')
    .where('group_uuid', '=', group.uuid)
    .where('user_id', '=', viewer.id)
    .executeTakeFirst();
  if (membership?.is_admin === 1) return;
  throw new SheafError('permission-denied', `You may not change group ${group.name}(${group.uuid}).`, {
    next: 'Ask its owner or one of its admins.',
  });
}

export async function deleteGroup(unit: UnitOfWork, group: GroupRow): Promise<void> {
  // Memberships and permissions go with it.
  await unit.queries.deleteFrom('user_group').where('uuid', '=', group.uuid).execute();
  unit.announce({ type: 'access.changed' });
}

/** Adds users, or changes their role. @throws SheafError `not-found` for an unknown one */
export async function addMembers(
  unit: UnitOfWork,
  group: GroupRow,
  userIds: readonly string[],
  asAdmin: boolean,
): Promise<void> {
  if (group.owner_id !== null && userIds.includes(group.owner_id)) {
    throw new SheafError('invalid-request', `User ${group.owner_id} is the owner of group ${group.name}.`);
  }
  const known = await usersByIds(unit.queries, userIds);
  const unknown = userIds.find((id) => !known.has(id));
  if (unknown !== undefined) throw new SheafError('not-found', `User ${unknown} not found`);
  await setMembers(unit, group, userIds, asAdmin);
  unit.announce({ type: 'access.changed' });
}

export async function removeMembers(
  unit: UnitOfWork,
  group: GroupRow,
  userIds: readonly string[],
): Promise<void> {
  if (userIds.length === 0) return;
  await unit.queries
    .deleteFrom('group_member')
    .where('group_uuid', '=', group.uuid)
    .where('user_id', 'in', userIds)
    .execute();
  unit.announce({ type: 'access.changed' });
}

async function setMembers(
  unit: UnitOfWork,
  group: GroupRow,
  userIds: readonly string[],
  asAdmin: boolean,
): Promise<void> {
  const is_admin = asAdmin ? 1 : 0;
  for (const user_id of new Set(userIds)) {
    await unit.queries
      .insertInto('group_member')
      .values({ group_uuid: group.uuid, user_id, is_admin })
      .onConflict((conflict) => conflict.columns(['group_uuid', 'user_id']).doUpdateSet({ is_admin }))
      .execute();
  }
}
