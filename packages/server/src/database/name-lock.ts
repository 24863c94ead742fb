import type { UnitOfWork } from './unit-of-work.ts';

/**
 * Lets transactions that check whether a name is free, and then take it, run one after the other on an engine with several
 * writers: the second would otherwise break on the unique index instead of being told that the name is taken.
 */
export async function lockNames(unit: UnitOfWork): Promise<void> {
  await unit.queries
    .insertInto('setting')
    .values({ key: 'name-lock', value: '' })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value: '' }))
    .execute();
}
