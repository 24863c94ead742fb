/* What a fetch may take along: owners, group permissions, children, host worksheets (rest-api.md §11.3). */
import { formatPermission, isPermission, readPermission } from '@sheaf/domain';
import type { Linkage, Resource } from '@sheaf/wire';
import { publicUserResource } from '../accounts/user-resource.ts';
import { usersByIds, type AnyQueries } from '../accounts/users.ts';
import { inChunks } from '../database/chunks.ts';
import type { Viewer } from '../http/viewer.ts';
import { findWorksheets, worksheetPermissions } from '../worksheets/access.ts';
import { findBundles, permissionsOn } from './access.ts';
import { isReadable, visibleOwner, type BundleResource, type BundleView } from './resource.ts';

export const bundleIncludes = ['owner', 'group_permissions', 'children', 'host_worksheets'] as const;
export type BundleInclude = (typeof bundleIncludes)[number];

export type IncludedResource = Resource<Record<string, unknown>>;

/** Adds relationships to the resources and answers what belongs into `included`. */
export async function includeWithBundles(
  queries: AnyQueries,
  viewer: Viewer,
  bundles: readonly { view: BundleView; resource: BundleResource }[],
  include: ReadonlySet<BundleInclude>,
): Promise<IncludedResource[]> {
  const readable = bundles.filter(({ view }) => isReadable(view));
  const included: IncludedResource[] = [];
  if (include.has('owner')) included.push(...(await owners(queries, readable)));
  if (include.has('group_permissions')) included.push(...(await groupPermissions(queries, viewer, readable)));
  if (include.has('children')) included.push(...(await children(queries, viewer, readable)));
  if (include.has('host_worksheets')) included.push(...(await hostWorksheets(queries, viewer, readable)));
  return included;
}

type Readable = readonly { view: BundleView; resource: BundleResource }[];

async function owners(queries: AnyQueries, bundles: Readable): Promise<IncludedResource[]> {
  const ids = bundles.map(({ view }) => visibleOwner(view)).filter((id) => id !== null);
  return [...(await usersByIds(queries, ids)).values()].map(publicUserResource);
}

async function groupPermissions(
  queries: AnyQueries,
  viewer: Viewer,
  bundles: Readable,
): Promise<IncludedResource[]> {
  const rows = await inChunks(uuidsOf(bundles), (chunk) =>
    queries
      .selectFrom('bundle_permission')
      .innerJoin('user_group', 'user_group.uuid', 'bundle_permission.group_uuid')
      .select([
        'bundle_permission.id',
        'bundle_permission.bundle_uuid',
        'bundle_permission.permission',
        'user_group.uuid as group_uuid',
        'user_group.name as group_name',
        'user_group.user_defined',
      ])
      .where('bundle_permission.bundle_uuid', 'in', chunk)
      .orderBy('user_group.name')
      .execute(),
  );
  const shown = rows.filter((row) => viewer.kind !== 'anonymous' || row.user_defined === 0);
  for (const { view, resource } of bundles) {
    const own = shown.filter((row) => row.bundle_uuid === view.row.uuid);
    const isHidden = view.row.is_anonymous !== 0 && visibleOwner(view) === null;
    if (isHidden) relate(resource, 'group_permissions', []);
    else if (own.length > 0) {
      relate(
        resource,
        'group_permissions',
        own.map((row) => ({ type: 'bundle-permissions', id: String(row.id) })),
      );
    }
  }
  const linked = new Set(
    bundles.flatMap(({ resource }) => linkages(resource, 'group_permissions').map((link) => link.id)),
  );
  return shown
    .filter((row) => linked.has(String(row.id)))
    .map((row) => ({
      type: 'bundle-permissions',
      id: String(row.id),
      attributes: {
        group_name: row.group_name,
        permission: row.permission,
        permission_spec: formatPermission(isPermission(row.permission) ? row.permission : 0),
      },
      relationships: { group: { data: { type: 'groups', id: row.group_uuid } } },
    }));
}

async function children(queries: AnyQueries, viewer: Viewer, bundles: Readable): Promise<IncludedResource[]> {
  const edges = await inChunks(uuidsOf(bundles), (chunk) =>
    queries
      .selectFrom('dependency')
      .select(['parent_uuid', 'child_uuid'])
      .distinct()
      .where('parent_uuid', 'in', chunk)
      .execute(),
  );
  const rows = (
    await findBundles(
      queries,
      edges.map((edge) => edge.child_uuid),
    )
  ).toSorted((one, other) => one.id - other.id);
  const permissions = await permissionsOn(queries, viewer, rows);
  const readable = rows.filter((row) => (permissions.get(row.uuid) ?? 0) >= readPermission);
  for (const { view, resource } of bundles) {
    const own = new Set(
      edges.filter((edge) => edge.parent_uuid === view.row.uuid).map((edge) => edge.child_uuid),
    );
    const links = readable
      .filter((row) => own.has(row.uuid))
      .map((row) => ({ type: 'bundles', id: row.uuid }));
    relate(resource, 'children', links);
  }
  return readable.map((row) => ({
    type: 'bundles',
    id: row.uuid,
    attributes: { uuid: row.uuid, metadata: { name: row.name } },
  }));
}

async function hostWorksheets(
  queries: AnyQueries,
  viewer: Viewer,
  bundles: Readable,
): Promise<IncludedResource[]> {
  const places = await hostsOf(queries, uuidsOf(bundles));
  const worksheets = await findWorksheets(
    queries,
    places.map((place) => place.worksheet_uuid),
  );
  const permissions = await worksheetPermissions(queries, viewer, worksheets);
  const readable = worksheets
    .filter((worksheet) => (permissions.get(worksheet.uuid) ?? 0) >= readPermission)
    .toSorted((one, other) => one.id - other.id);
  for (const { view, resource } of bundles) {
    const own = new Set(
      places.filter((place) => place.bundle_uuid === view.row.uuid).map((place) => place.worksheet_uuid),
    );
    const links = readable
      .filter((sheet) => own.has(sheet.uuid))
      .map((sheet) => ({ type: 'worksheets', id: sheet.uuid }));
    relate(resource, 'host_worksheets', links);
  }
  return readable.map((sheet) => ({
    type: 'worksheets',
    id: sheet.uuid,
    attributes: { uuid: sheet.uuid, name: sheet.name },
  }));
}

/** The worksheets that have an item for one of the bundles, each pair once. */
export async function hostsOf(
  queries: AnyQueries,
  bundleUuids: Iterable<string>,
): Promise<{ bundle_uuid: string | null; worksheet_uuid: string }[]> {
  return await inChunks(bundleUuids, (chunk) =>
    queries
      .selectFrom('worksheet_item')
      .select(['bundle_uuid', 'worksheet_uuid'])
      .distinct()
      .where('bundle_uuid', 'in', chunk)
      .execute(),
  );
}

function uuidsOf(bundles: Readable): string[] {
  return bundles.map(({ view }) => view.row.uuid);
}

function relate(resource: BundleResource, name: string, data: Linkage[]): void {
  resource.relationships = { ...resource.relationships, [name]: { data } };
}

function linkages(resource: BundleResource, name: string): Linkage[] {
  const data = resource.relationships?.[name]?.data;
  return Array.isArray(data) ? data : [];
}
