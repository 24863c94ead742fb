/* Finding worksheets, and who may do what with them (worksheets.md §2). */
import { allPermission, readPermission, type Permission } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import type { Selectable } from 'kysely';
import { permissionsOf, refuseWithout, userIdOf, type GrantRow } from '../accounts/permissions.ts';
import type { AnyQueries } from '../accounts/users.ts';
import { inChunks } from '../database/chunks.ts';
import type { WorksheetTable } from '../database/schema.ts';
import type { Viewer } from '../http/viewer.ts';

export type WorksheetRow = Selectable<WorksheetTable>;

export async function findWorksheet(queries: AnyQueries, uuid: string): Promise<WorksheetRow | undefined> {
  return await queries.selectFrom('worksheet').selectAll().where('uuid', '=', uuid).executeTakeFirst();
}

export async function findWorksheets(queries: AnyQueries, uuids: Iterable<string>): Promise<WorksheetRow[]> {
  return await inChunks(uuids, (chunk) =>
    queries.selectFrom('worksheet').selectAll().where('uuid', 'in', chunk).execute(),
  );
}

export async function worksheetPermissions(
  queries: AnyQueries,
  viewer: Viewer,
  worksheets: readonly WorksheetRow[],
): Promise<ReadonlyMap<string, Permission>> {
  return await permissionsOf(queries, userIdOf(viewer), worksheets, (uuids) =>
    grantsOnWorksheets(queries, uuids),
  );
}

export async function grantsOnWorksheets(queries: AnyQueries, uuids: readonly string[]): Promise<GrantRow[]> {
  return await inChunks(uuids, (chunk) =>
    queries
      .selectFrom('worksheet_permission')
      .select(['worksheet_uuid as uuid', 'group_uuid', 'permission'])
      .where('worksheet_uuid', 'in', chunk)
      .execute(),
  );
}

/** @throws SheafError `not-found`, `permission-denied` */
export async function requireWorksheet(
  queries: AnyQueries,
  viewer: Viewer,
  uuid: string,
  need: 'read' | 'all',
): Promise<WorksheetRow> {
  const worksheet = await findWorksheet(queries, uuid);
  if (worksheet === undefined) {
    throw new SheafError('not-found', `Could not find worksheet with uuid ${uuid}`);
  }
  const things = [worksheet];
  const permissions = await worksheetPermissions(queries, viewer, things);
  const level = need === 'all' ? allPermission : readPermission;
  refuseWithout(level, { viewer, kind: 'worksheet', things, permissions });
  return worksheet;
}

/** @throws SheafError `frozen` (worksheets.md §2.4) */
export function refuseFrozenWorksheet(worksheet: WorksheetRow): void {
  if (worksheet.frozen_at === null) return;
  throw new SheafError('frozen', `Cannot mutate frozen worksheet ${worksheet.uuid}(${worksheet.name}).`, {
    next: 'Unfreeze it with `cl wedit --unfreeze`.',
  });
}
