import type { UnitOfWork } from '../database/unit-of-work.ts';

/** Makes other writers of these bundles wait until the transaction ends; in one order, so that nobody waits in a circle. */
export async function lockBundles(unit: UnitOfWork, uuids: readonly string[]): Promise<void> {
  if (uuids.length === 0) return;
  await unit.queries
    .selectFrom('bundle')
    .select('uuid')
    .where('uuid', 'in', [...new Set(uuids)])
    .orderBy('uuid')
    .modifyEnd(unit.dialect.rowLock)
    .execute();
}
