import { sql } from 'kysely';
import { isOutOfRoom } from './no-room.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/**
 * Does a part of a unit of work that may fail without the rest: what it wrote is undone, and its error thrown. After some errors
 * (`endsTransaction`) the rest fails as well, and must not go on.
 */
export async function attempt<Result>(unit: UnitOfWork, part: () => Promise<Result>): Promise<Result> {
  const charges = [...unit.charges];
  await sql`savepoint attempt`.execute(unit.queries);
  try {
    const result = await part();
    await sql`release savepoint attempt`.execute(unit.queries);
    return result;
  } catch (error) {
    unit.charges.splice(0, Infinity, ...charges);
    // The database has undone everything, and the savepoint with it.
    if (isOutOfRoom(error)) throw error;
    await sql`rollback to savepoint attempt`.execute(unit.queries);
    await sql`release savepoint attempt`.execute(unit.queries);
    throw error;
  }
}
