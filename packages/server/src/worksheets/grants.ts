/* Which groups may do what on worksheets, as viewers are told (worksheets.md §2.1). */
import { isPermission, type Permission } from '@sheaf/domain';
import type { AnyQueries } from '../accounts/users.ts';
import { inChunks } from '../database/chunks.ts';
import type { Viewer } from '../http/viewer.ts';

export interface WorksheetGrant {
  id: number;
  worksheet_uuid: string;
  group_uuid: string;
  group_name: string;
  permission: Permission;
}

/** Ordered by group name; signed-in viewers see all, others the public one. */
export async function worksheetGrants(
  queries: AnyQueries,
  viewer: Viewer,
  worksheetUuids: readonly string[],
): Promise<WorksheetGrant[]> {
  const rows = await inChunks(worksheetUuids, (chunk) =>
    queries
      .selectFrom('worksheet_permission')
      .innerJoin('user_group', 'user_group.uuid', 'worksheet_permission.group_uuid')
      .select([
        'worksheet_permission.id',
        'worksheet_permission.worksheet_uuid',
        'worksheet_permission.permission',
        'user_group.uuid as group_uuid',
        'user_group.name as group_name',
        'user_group.user_defined',
      ])
      .where('worksheet_permission.worksheet_uuid', 'in', chunk)
      .orderBy('user_group.name')
      .execute(),
  );
  return rows
    .filter((row) => viewer.kind !== 'anonymous' || row.user_defined === 0)
    .map(({ user_defined: _defined, permission, ...row }) => ({
      ...row,
      permission: isPermission(permission) ? permission : 0,
    }));
}
