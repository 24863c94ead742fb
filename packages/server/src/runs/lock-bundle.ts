import type { BundleRow } from '../bundles/transition.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';

/** The row as it is now, which nobody else changes before this unit of work ends. Undefined: there is no such bundle. */
export async function lockBundle(unit: UnitOfWork, uuid: string): Promise<BundleRow | undefined> {
  return await unit.queries
    .selectFrom('bundle')
    .selectAll()
    .where('uuid', '=', uuid)
    .modifyEnd(unit.dialect.rowLock)
    .executeTakeFirst();
}
