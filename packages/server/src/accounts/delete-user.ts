/* Removing accounts (rest-api.md §6.2): only those that own nothing. */
import { SheafError } from '@sheaf/wire';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { UserViewer } from '../http/viewer.ts';
import { rootUserId } from './users.ts';

/** @throws SheafError `no-access` (401, as clients know it), `not-found` also where one owns anything */
export async function deleteUsers(
  unit: UnitOfWork,
  viewer: UserViewer,
  ids: readonly string[],
): Promise<void> {
  if (!viewer.isRoot && !(ids.length === 1 && ids[0] === viewer.id)) {
    throw new SheafError('no-access', 'You can only delete your own account.', {
      next: 'Ask the administrator.',
    });
  }
  if (ids.includes(rootUserId)) {
    throw new SheafError('no-access', 'The root user cannot be deleted.', { next: 'Leave it out.' });
  }
  for (const id of ids) {
    const user = await unit.queries.selectFrom('user').select('id').where('id', '=', id).executeTakeFirst();
    if (user === undefined) throw new SheafError('not-found', `User ${id} not found`);
    await refuseOwner(unit, id);
    // Tokens, memberships and workers go with it.
    await unit.queries.deleteFrom('user').where('id', '=', id).execute();
    unit.announce({ type: 'account.changed' });
  }
}

async function refuseOwner(unit: UnitOfWork, id: string): Promise<void> {
  const owned = (table: 'bundle' | 'worksheet' | 'user_group') =>
    unit.queries.selectFrom(table).select('uuid').where('owner_id', '=', id).orderBy('uuid').execute();
  const lines = [
    { what: 'bundles', uuids: await owned('bundle') },
    { what: 'worksheets', uuids: await owned('worksheet') },
    { what: 'groups', uuids: await owned('user_group') },
  ]
    .filter(({ uuids }) => uuids.length > 0)
    .map(({ what, uuids }) => `${what}: ${uuids.map(({ uuid }) => uuid).join(', ')}`);
  if (lines.length === 0) return;
  throw new SheafError(
    'not-found',
    `User ${id} still owns things and cannot be deleted.\n${lines.join('\n')}`,
    {
      next: 'Delete those, or give them to somebody else with `cl chown`.',
    },
  );
}
