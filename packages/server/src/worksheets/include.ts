/* What a fetch of worksheets may take along (worksheets.md §9.2). */
import { formatPermission, readPermission } from '@sheaf/domain';
import type { Linkage } from '@sheaf/wire';
import { publicUserResource } from '../accounts/user-resource.ts';
import { usersByIds, type AnyQueries } from '../accounts/users.ts';
import { findBundles } from '../bundles/access.ts';
import { bundleResource, visibleOwner as visibleBundleOwner } from '../bundles/resource.ts';
import { viewBundles, type Showing } from '../bundles/view.ts';
import type { Viewer } from '../http/viewer.ts';
import { findWorksheets, worksheetPermissions } from './access.ts';
import { worksheetGrants } from './grants.ts';
import type { ItemRow } from './items.ts';
import {
  isMasked,
  itemResource,
  visibleOwner,
  type WorksheetResource,
  type WorksheetView,
} from './resource.ts';

export const worksheetIncludes = [
  'owner',
  'group_permissions',
  'items',
  'items.bundle',
  'items.bundle.owner',
  'items.subworksheet',
] as const;
export type WorksheetInclude = (typeof worksheetIncludes)[number];

export interface ViewedResource {
  view: WorksheetView;
  resource: WorksheetResource;
}

/** The ids of owners that are to be included. */
export function ownerIds(worksheets: readonly ViewedResource[]): string[] {
  return worksheets
    .filter(({ view }) => view.permission >= readPermission)
    .map(({ view }) => visibleOwner(view))
    .filter((id) => id !== null);
}

/** Each user once, however many things refer to him. */
export async function includedUsers(
  queries: AnyQueries,
  ids: Iterable<string>,
): Promise<WorksheetResource[]> {
  return [...(await usersByIds(queries, ids)).values()].map(publicUserResource);
}

/** Adds the relationship and answers its resources; signed-in readers see all rows, others the public one. */
export async function includeGroupPermissions(
  queries: AnyQueries,
  viewer: Viewer,
  worksheets: readonly ViewedResource[],
): Promise<WorksheetResource[]> {
  const shown = worksheets.filter(({ view }) => view.permission >= readPermission);
  const visible = await worksheetGrants(
    queries,
    viewer,
    shown.map(({ view }) => view.row.uuid),
  );
  const included: WorksheetResource[] = [];
  for (const { view, resource } of shown) {
    const own = isMasked(view) ? [] : visible.filter((row) => row.worksheet_uuid === view.row.uuid);
    relate(
      resource,
      'group_permissions',
      own.map((row) => ({ type: 'worksheet-permissions', id: String(row.id) })),
    );
    for (const row of own) {
      included.push({
        type: 'worksheet-permissions',
        id: String(row.id),
        attributes: {
          group_name: row.group_name,
          permission: row.permission,
          permission_spec: formatPermission(row.permission),
        },
        relationships: { group: { data: { type: 'groups', id: row.group_uuid } } },
      });
    }
  }
  return included;
}

/** The items of one worksheet in order, and what they refer to as far as it is asked for. */
export async function includeItems(
  showing: Showing,
  viewer: Viewer,
  resource: WorksheetResource,
  items: readonly ItemRow[],
  include: ReadonlySet<WorksheetInclude>,
): Promise<{ included: WorksheetResource[]; owners: string[] }> {
  relate(
    resource,
    'items',
    items.map((item) => ({ type: 'worksheet-items', id: String(item.id) })),
  );
  const { queries } = showing.database;
  const included: WorksheetResource[] = items.map(itemResource);
  const owners: string[] = [];
  if (include.has('items.bundle') || include.has('items.bundle.owner')) {
    const uuids = items.map((item) => item.bundle_uuid).filter((uuid) => uuid !== null);
    const views = await viewBundles(showing, viewer, await findBundles(queries, uuids));
    for (const view of views) {
      included.push(bundleResource(view, { withDisplayMetadata: false }));
      const owner = visibleBundleOwner(view);
      if (owner !== null && include.has('items.bundle.owner')) owners.push(owner);
    }
  }
  if (include.has('items.subworksheet')) included.push(...(await subworksheets(queries, viewer, items)));
  return { included, owners };
}

async function subworksheets(
  queries: AnyQueries,
  viewer: Viewer,
  items: readonly ItemRow[],
): Promise<WorksheetResource[]> {
  const uuids = items.map((item) => item.subworksheet_uuid).filter((uuid) => uuid !== null);
  const rows = await findWorksheets(queries, uuids);
  const permissions = await worksheetPermissions(queries, viewer, rows);
  return rows
    .filter((row) => (permissions.get(row.uuid) ?? 0) >= readPermission)
    .map((row) => ({
      type: 'worksheets',
      id: row.uuid,
      attributes: { uuid: row.uuid, name: row.name, title: row.title },
    }));
}

function relate(resource: WorksheetResource, name: string, data: Linkage[]): void {
  resource.relationships = { ...resource.relationships, [name]: { data } };
}
