import type { UnitOfWork } from '../database/unit-of-work.ts';

/** Both engines bound the parameters of one statement. */
const atOnce = 5_000;

/** Makes other writers of these bundles wait until the transaction ends; in one order, so that nobody waits in a circle. */
export async function lockBundles(unit: UnitOfWork, uuids: readonly string[]): Promise<void> {
  const distinct = [...new Set(uuids)].toSorted();
  for (let start = 0; start < distinct.length; start += atOnce) {
    await unit.queries
      .selectFrom('bundle')
      .select('uuid')
      .where('uuid', 'in', distinct.slice(start, start + atOnce))
      .orderBy('uuid')
      .modifyEnd(unit.dialect.rowLock)
      .execute();
  }
}
