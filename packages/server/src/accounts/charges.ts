/*
 * What people use more, added up in a unit of work and written at its end: whoever executes many runs of one person at once would else
 * have each wait for all that the one before does (docs/decisions/0815).
 */
import { write } from '../database/unanswered.ts';
import { sql } from 'kysely';
import { givenRows } from '../database/given-rows.ts';
import type { Charge, UnitOfWork } from '../database/unit-of-work.ts';

/** Adds to what people have used; negative bytes are given back. The next recomputation makes the bytes exact. */
export function charge(unit: UnitOfWork, ...charges: readonly Charge[]): void {
  unit.charges.push(...charges.filter(({ seconds, bytes }) => seconds !== 0 || bytes !== 0));
}

/** By user. */
export function sumOfCharges({ charges }: Pick<UnitOfWork, 'charges'>): ReadonlyMap<string, Charge> {
  const sums = new Map<string, Charge>();
  for (const { userId, seconds, bytes } of charges) {
    const sum = sums.get(userId);
    sums.set(userId, {
      userId,
      seconds: (sum?.seconds ?? 0) + seconds,
      bytes: (sum?.bytes ?? 0) + bytes,
    });
  }
  return sums;
}

/** What a user's bundles hold was counted: it has these bytes in it. */
export function forgetBytes({ charges }: Pick<UnitOfWork, 'charges'>, userId: string): void {
  for (const [at, one] of charges.entries()) if (one.userId === userId) charges[at] = { ...one, bytes: 0 };
}

/** Writes all of them with one statement. Accounts are locked in the order of their ids. */
export async function settleCharges(unit: UnitOfWork): Promise<void> {
  const sums = [...sumOfCharges(unit).values()].filter(({ seconds, bytes }) => seconds !== 0 || bytes !== 0);
  unit.charges.length = 0;
  if (sums.length === 0) return;
  const given = givenRows(
    unit.dialect,
    { payer: 'text', more_seconds: 'real', more_bytes: 'integer' },
    sums.map(({ userId, seconds, bytes }) => ({ payer: userId, more_seconds: seconds, more_bytes: bytes })),
  );
  await write(
    unit,
    sql`update "user" set time_used = time_used + more_seconds, disk_used = disk_used + more_bytes
    from (select given.* from ${given} as given join "user" as account on account.id = given.payer
      order by account.id ${unit.dialect.rowLock}) as given
    where "user".id = given.payer`,
  );
}
