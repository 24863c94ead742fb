import { sql } from 'kysely';
import type { UnitOfWork } from './unit-of-work.ts';

/** Does a part of a unit of work that may fail without the rest: what it wrote is undone, and its error thrown. */
export async function attempt<Result>(unit: UnitOfWork, part: () => Promise<Result>): Promise<Result> {
  await sql`savepoint attempt`.execute(unit.queries);
  try {
    const result = await part();
    await sql`release savepoint attempt`.execute(unit.queries);
    return result;
  } catch (error) {
    await sql`rollback to savepoint attempt`.execute(unit.queries);
    await sql`release savepoint attempt`.execute(unit.queries);
    throw error;
  }
}
