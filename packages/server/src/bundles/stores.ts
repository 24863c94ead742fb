/* Named stores (rest-api.md §17.1). They label where contents are; this server keeps all contents by digest in one place. */
import { SheafError } from '@sheaf/wire';
import type { Selectable } from 'kysely';
import { rootUserId, type AnyQueries } from '../accounts/users.ts';
import type { BundleStoreTable } from '../database/schema.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';

export type StoreRow = Selectable<BundleStoreTable>;

export async function findStore(queries: AnyQueries, uuid: string): Promise<StoreRow | undefined> {
  return await queries.selectFrom('bundle_store').selectAll().where('uuid', '=', uuid).executeTakeFirst();
}

/** Stores of root and of the user: those a user can choose. */
export async function storesFor(queries: AnyQueries, userId: string): Promise<StoreRow[]> {
  return await queries
    .selectFrom('bundle_store')
    .selectAll()
    .where('owner_id', 'in', [rootUserId, userId])
    .orderBy('created_at')
    .orderBy('uuid')
    .execute();
}

/** @throws SheafError `invalid-request`: no such store (the status original clients know) */
export async function requireStoreByName(
  queries: AnyQueries,
  userId: string,
  name: string,
): Promise<StoreRow> {
  const store = (await storesFor(queries, userId)).find((candidate) => candidate.name === name);
  if (store === undefined) throw new SheafError('invalid-request', `No bundle store is named ${name}.`);
  return store;
}

/** The formats a kind of store can have. @throws SheafError `invalid-request` */
export function storageFormat(storageType: string, format: string | null): string {
  const standard: Record<string, string> = {
    disk: 'uncompressed',
    azure_blob: 'compressed_v1',
    gcs: 'compressed_v1',
  };
  const chosen = format ?? standard[storageType];
  if (chosen === undefined) throw new SheafError('invalid-request', `Unknown storage type: ${storageType}`);
  return chosen;
}

export async function createStore(unit: UnitOfWork, store: StoreRow): Promise<void> {
  const taken = await unit.queries
    .selectFrom('bundle_store')
    .select('uuid')
    .where('name', '=', store.name)
    .executeTakeFirst();
  if (taken !== undefined) throw new SheafError('conflict', `A bundle store is already named ${store.name}.`);
  await unit.queries.insertInto('bundle_store').values(store).execute();
}

/** @throws SheafError `not-found` where it is not the user's, `action-refused` while a bundle is on it */
export async function deleteStore(unit: UnitOfWork, userId: string, uuid: string): Promise<void> {
  const store = await findStore(unit.queries, uuid);
  if (store === undefined || store.owner_id !== userId) throw storeNotFound(uuid);
  const used = await unit.queries
    .selectFrom('bundle_location')
    .select('bundle_uuid')
    .where('store_uuid', '=', uuid)
    .executeTakeFirst();
  if (used !== undefined) {
    throw new SheafError(
      'action-refused',
      `Bundle store ${store.name} is in use, for instance by ${used.bundle_uuid}.`,
      {
        next: 'Delete those bundles first.',
      },
    );
  }
  await unit.queries.deleteFrom('bundle_store').where('uuid', '=', uuid).execute();
}

export function storeNotFound(uuid: string): SheafError {
  return new SheafError('not-found', `Bundle store ${uuid} not found`);
}
