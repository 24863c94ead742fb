import type { UnitOfWork } from '../../database/unit-of-work.ts';

const key = 'planner';

/**
 * Notes that this server makes the newest pass on the database. To be called under the lock of passes.
 * @returns whether it made the one before as well: then what it keeps in memory needs only what it was told since
 */
export async function takePlanning(unit: UnitOfWork, server: string): Promise<boolean> {
  const row = await unit.queries
    .selectFrom('setting')
    .select('value')
    .where('key', '=', key)
    .executeTakeFirst();
  if (row?.value === server) return true;
  await unit.queries
    .insertInto('setting')
    .values({ key, value: server })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value: server }))
    .execute();
  return false;
}
