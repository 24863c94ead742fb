/* Finding bundles, and who may do what with them (rest-api.md §8). */
import { allPermission, readPermission, type Permission } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import {
  permissionsOf,
  refuseWithout,
  userIdOf,
  type GrantRow,
  type Owned,
} from '../accounts/permissions.ts';
import type { AnyQueries } from '../accounts/users.ts';
import { inChunks } from '../database/chunks.ts';
import type { Viewer } from '../http/viewer.ts';
import type { BundleRow } from './transition.ts';

export async function findBundle(queries: AnyQueries, uuid: string): Promise<BundleRow | undefined> {
  return await queries.selectFrom('bundle').selectAll().where('uuid', '=', uuid).executeTakeFirst();
}

/** The bundles there are among the given uuids, in no particular order. */
export async function findBundles(queries: AnyQueries, uuids: Iterable<string>): Promise<BundleRow[]> {
  return await inChunks(uuids, (chunk) =>
    queries.selectFrom('bundle').selectAll().where('uuid', 'in', chunk).execute(),
  );
}

/** Rows in the order of the uuids, duplicates kept. @throws SheafError `not-found` naming the first that is missing */
export async function existingBundles(queries: AnyQueries, uuids: readonly string[]): Promise<BundleRow[]> {
  const rows = new Map((await findBundles(queries, uuids)).map((row) => [row.uuid, row]));
  return uuids.map((uuid) => {
    const row = rows.get(uuid);
    if (row === undefined) throw bundleNotFound(uuid);
    return row;
  });
}

export function bundleNotFound(uuid: string): SheafError {
  return new SheafError('not-found', `Bundle ${uuid} not found`);
}

export async function permissionOn(queries: AnyQueries, viewer: Viewer, bundle: Owned): Promise<Permission> {
  return (await permissionsOn(queries, viewer, [bundle])).get(bundle.uuid) ?? 0;
}

/** Permissions on many bundles with at most two queries. */
export async function permissionsOn(
  queries: AnyQueries,
  viewer: Viewer,
  bundles: readonly Owned[],
): Promise<ReadonlyMap<string, Permission>> {
  return await bundlePermissions(queries, userIdOf(viewer), bundles);
}

async function bundlePermissions(
  queries: AnyQueries,
  userId: string | null,
  bundles: readonly Owned[],
): Promise<ReadonlyMap<string, Permission>> {
  return await permissionsOf(queries, userId, bundles, (uuids) => grantsOnBundles(queries, uuids));
}

/** The rows of `bundle_permission` of these bundles. */
export async function grantsOnBundles(queries: AnyQueries, uuids: readonly string[]): Promise<GrantRow[]> {
  return await inChunks(uuids, (chunk) =>
    queries
      .selectFrom('bundle_permission')
      .select(['bundle_uuid as uuid', 'group_uuid', 'permission'])
      .where('bundle_uuid', 'in', chunk)
      .execute(),
  );
}

/** @throws SheafError `not-found` `Bundle <uuid> not found`, `permission-denied` */
export async function requireBundle(
  queries: AnyQueries,
  viewer: Viewer,
  uuid: string,
  need: 'read' | 'all',
): Promise<BundleRow> {
  const [bundle] = await requireBundles(queries, viewer, [uuid], need);
  if (bundle === undefined) throw bundleNotFound(uuid);
  return bundle;
}

/** The same for several, answered in the order asked for. */
export async function requireBundles(
  queries: AnyQueries,
  viewer: Viewer,
  uuids: readonly string[],
  need: 'read' | 'all',
): Promise<BundleRow[]> {
  const things = await existingBundles(queries, uuids);
  const permissions = await permissionsOn(queries, viewer, things);
  const level = need === 'all' ? allPermission : readPermission;
  refuseWithout(level, { viewer, kind: 'bundle', things, permissions });
  return things;
}

/** Whether a user, who need not be the one who asks, may read a bundle. */
export async function mayUserRead(queries: AnyQueries, userId: string, bundle: Owned): Promise<boolean> {
  const permissions = await bundlePermissions(queries, userId, [bundle]);
  return (permissions.get(bundle.uuid) ?? 0) >= readPermission;
}
