/* What people have used of what they may use (bundles.md §16). Bytes are exact: scripts compare them. */
import type { Quota } from '@sheaf/domain';
import { sql } from 'kysely';
import { givenRows, givenTexts } from '../database/given-rows.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { AnyQueries, UserRow } from './users.ts';

export function quotaOf(user: UserRow): Quota {
  return {
    timeQuota: user.time_quota,
    timeUsed: user.time_used,
    diskQuota: user.disk_quota,
    diskUsed: user.disk_used,
  };
}

/** Seconds and bytes; undefined where there is no such user. */
export async function readQuota(queries: AnyQueries, userId: string): Promise<Quota | undefined> {
  const user = await queries.selectFrom('user').selectAll().where('id', '=', userId).executeTakeFirst();
  return user === undefined ? undefined : quotaOf(user);
}

/** Sets `disk_used` to the sum of what the user's bundles hold, and answers it (bytes). */
export async function recomputeDiskUsed(unit: UnitOfWork, userId: string): Promise<number> {
  // The row first: whoever else changes this user's account waits, and then counts what we have written.
  await unit.queries
    .selectFrom('user')
    .select('id')
    .where('id', '=', userId)
    .modifyEnd(unit.dialect.rowLock)
    .execute();
  const { used } = await unit.queries
    .selectFrom('bundle')
    .select(sql<number>`coalesce(sum(data_size), 0)`.as('used'))
    .where('owner_id', '=', userId)
    .executeTakeFirstOrThrow();
  await unit.queries.updateTable('user').set({ disk_used: used }).where('id', '=', userId).execute();
  return used;
}

/** Adds bytes to `disk_used`; negative ones are given back. The next recomputation makes it exact. */
export async function chargeDisk(unit: UnitOfWork, userId: string, bytes: number): Promise<void> {
  await unit.queries
    .updateTable('user')
    .set({ disk_used: sql<number>`disk_used + ${bytes}` })
    .where('id', '=', userId)
    .execute();
}

/** What somebody has used more: seconds of containers, and bytes (fewer, where negative). */
export interface Charge {
  readonly userId: string;
  readonly seconds: number;
  readonly bytes: number;
}

/** Charges many with one statement; several charges of one user count together. */
export async function chargeAll(unit: UnitOfWork, charges: Iterable<Charge>): Promise<void> {
  const sums = new Map<string, { more_seconds: number; more_bytes: number }>();
  for (const { userId, seconds, bytes } of charges) {
    if (seconds === 0 && bytes === 0) continue;
    const sum = sums.get(userId) ?? { more_seconds: 0, more_bytes: 0 };
    sums.set(userId, sum);
    sum.more_seconds += seconds;
    sum.more_bytes += bytes;
  }
  if (sums.size === 0) return;
  const given = givenRows(
    unit.dialect,
    { payer: 'text', more_seconds: 'real', more_bytes: 'integer' },
    [...sums].map(([payer, sum]) => ({ payer, ...sum })),
  );
  await sql`update "user" set time_used = time_used + more_seconds, disk_used = disk_used + more_bytes
    from (select given.* from ${given} as given join "user" as account on account.id = given.payer
      order by account.id ${unit.dialect.rowLock}) as given
    where "user".id = given.payer`.execute(unit.queries);
}

/** The quotas of those who exist. */
export async function readQuotas(
  unit: UnitOfWork,
  userIds: Iterable<string>,
): Promise<ReadonlyMap<string, Quota>> {
  const { rows } = await sql<UserRow>`select "user".* from ${givenTexts(unit.dialect, userIds)} as wanted
    join "user" on "user".id = wanted.given`.execute(unit.queries);
  return new Map(rows.map((row) => [row.id, quotaOf(row)]));
}
