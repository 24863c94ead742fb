/* Loads what a viewer sees of many bundles with a fixed number of queries. */
import { readPermission } from '@sheaf/domain';
import type { DependencyResource } from '@sheaf/wire';
import type { Selectable } from 'kysely';
import type { AnyQueries } from '../accounts/users.ts';
import { inChunks } from '../database/chunks.ts';
import type { DependencyTable } from '../database/schema.ts';
import type { Viewer } from '../http/viewer.ts';
import type { Services } from '../services.ts';
import { permissionsOn } from './access.ts';
import type { BundleView } from './resource.ts';
import type { BundleRow } from './transition.ts';

/** What showing bundles takes. */
export type Showing = Pick<Services, 'database' | 'reasons'>;

export async function viewBundles(
  { database: { queries }, reasons }: Showing,
  viewer: Viewer,
  rows: readonly BundleRow[],
): Promise<BundleView[]> {
  const permissions = await permissionsOn(queries, viewer, rows);
  const readable = rows.filter((row) => (permissions.get(row.uuid) ?? 0) >= readPermission);
  const dependencies = await dependencyResources(queries, viewer, readable);
  return rows.map((row) => ({
    row,
    permission: permissions.get(row.uuid) ?? 0,
    dependencies: dependencies.get(row.uuid) ?? [],
    waitsFor: reasons.of(row),
  }));
}

export async function dependenciesOf(
  queries: AnyQueries,
  childUuids: Iterable<string>,
): Promise<Selectable<DependencyTable>[]> {
  return await inChunks(childUuids, (chunk) =>
    queries.selectFrom('dependency').selectAll().where('child_uuid', 'in', chunk).orderBy('id').execute(),
  );
}

async function dependencyResources(
  queries: AnyQueries,
  viewer: Viewer,
  children: readonly BundleRow[],
): Promise<ReadonlyMap<string, DependencyResource[]>> {
  const rows = await dependenciesOf(
    queries,
    children.map((child) => child.uuid),
  );
  const parents = await inChunks(
    rows.map((row) => row.parent_uuid),
    (chunk) =>
      queries
        .selectFrom('bundle')
        .select(['uuid', 'owner_id', 'name', 'state'])
        .where('uuid', 'in', chunk)
        .execute(),
  );
  const permissions = await permissionsOn(queries, viewer, parents);
  // The name and state of a parent that the viewer may not read are nobody's business.
  const shown = new Map(
    parents
      .filter((parent) => (permissions.get(parent.uuid) ?? 0) >= readPermission)
      .map((parent) => [parent.uuid, parent]),
  );
  const byChild = new Map<string, DependencyResource[]>();
  for (const { child_uuid, child_path, parent_uuid, parent_path } of rows) {
    const parent = shown.get(parent_uuid);
    const resource = {
      child_uuid,
      child_path,
      parent_uuid,
      parent_path,
      parent_name: parent?.name ?? null,
      parent_state: parent?.state ?? null,
    };
    const known = byChild.get(child_uuid);
    if (known === undefined) byChild.set(child_uuid, [resource]);
    else known.push(resource);
  }
  return byChild;
}
