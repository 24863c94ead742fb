/* Documents of worksheets (worksheets.md §9.2, §9.3). */
import type { Document } from '@sheaf/wire';
import type { AnyQueries } from '../accounts/users.ts';
import type { Showing } from '../bundles/view.ts';
import type { Viewer } from '../http/viewer.ts';
import { requireWorksheet, worksheetPermissions, type WorksheetRow } from './access.ts';
import {
  includedUsers,
  includeGroupPermissions,
  includeItems,
  ownerIds,
  type ViewedResource,
  type WorksheetInclude,
} from './include.ts';
import { itemsOf } from './items.ts';
import { worksheetResource, type WorksheetResource } from './resource.ts';

/** One worksheet with everything asked for. @throws SheafError `not-found`, `permission-denied` */
export async function worksheetDocument(
  showing: Showing,
  viewer: Viewer,
  uuid: string,
  include: ReadonlySet<WorksheetInclude>,
): Promise<Document<WorksheetResource>> {
  const { queries } = showing.database;
  const row = await requireWorksheet(queries, viewer, uuid, 'read');
  const permission = (await worksheetPermissions(queries, viewer, [row])).get(uuid) ?? 0;
  const withItems = [...include].some((word) => word.startsWith('items'));
  const items = withItems ? await itemsOf(queries, uuid) : [];
  const last = items.reduce((most, item) => Math.max(most, item.id), -1);
  const view = { row, permission };
  const resource = worksheetResource(view, withItems ? last : null);
  const included: WorksheetResource[] = [];
  const owners = include.has('owner') ? ownerIds([{ view, resource }]) : [];
  if (withItems) {
    const parts = await includeItems(showing, viewer, resource, items, include);
    included.push(...parts.included);
    owners.push(...parts.owners);
  }
  if (include.has('group_permissions')) {
    included.push(...(await includeGroupPermissions(queries, viewer, [{ view, resource }])));
  }
  included.push(...(await includedUsers(queries, owners)));
  return { data: resource, included };
}

/** Several, in the given order, without items. */
export async function worksheetsDocument(
  queries: AnyQueries,
  viewer: Viewer,
  rows: readonly WorksheetRow[],
  include: ReadonlySet<WorksheetInclude>,
): Promise<Document<WorksheetResource[]>> {
  const permissions = await worksheetPermissions(queries, viewer, rows);
  const worksheets: ViewedResource[] = rows.map((row) => {
    const view = { row, permission: permissions.get(row.uuid) ?? 0 };
    return { view, resource: worksheetResource(view, null) };
  });
  const included = include.has('owner') ? await includedUsers(queries, ownerIds(worksheets)) : [];
  if (include.has('group_permissions')) {
    included.push(...(await includeGroupPermissions(queries, viewer, worksheets)));
  }
  return { data: worksheets.map(({ resource }) => resource), included };
}
