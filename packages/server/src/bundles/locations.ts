/* On which named stores a bundle is said to be (rest-api.md §17.2). */
import type { AnyQueries } from '../accounts/users.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { findStore, storeNotFound, type StoreRow } from './stores.ts';

export type Location = StoreRow;

/**
 * Records that a bundle is on a store, once.
 * @throws SheafError `not-found` for an unknown store
 */
export async function addLocation(
  unit: UnitOfWork,
  location: { bundle: string; store: string; isDirectory?: boolean },
): Promise<void> {
  const { bundle, store, isDirectory } = location;
  if ((await findStore(unit.queries, store)) === undefined) throw storeNotFound(store);
  const is_dir = isDirectory === undefined ? null : isDirectory ? 1 : 0;
  await unit.queries
    .insertInto('bundle_location')
    .values({ bundle_uuid: bundle, store_uuid: store, is_dir })
    .onConflict((conflict) => conflict.columns(['bundle_uuid', 'store_uuid']).doUpdateSet({ is_dir }))
    .execute();
}

export async function locationsOf(queries: AnyQueries, bundleUuid: string): Promise<Location[]> {
  return await queries
    .selectFrom('bundle_location')
    .innerJoin('bundle_store', 'bundle_store.uuid', 'bundle_location.store_uuid')
    .selectAll('bundle_store')
    .where('bundle_location.bundle_uuid', '=', bundleUuid)
    .orderBy('bundle_store.name')
    .execute();
}
