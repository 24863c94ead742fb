/* What people have used of what they may use (bundles.md §16). Bytes are exact: scripts compare them. */
import type { Quota } from '@sheaf/domain';
import { sql } from 'kysely';
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

/** Adds container time (seconds, may be a fraction) to what the user has used. */
export async function chargeTime(unit: UnitOfWork, userId: string, seconds: number): Promise<void> {
  await unit.queries
    .updateTable('user')
    .set({ time_used: sql<number>`time_used + ${seconds}` })
    .where('id', '=', userId)
    .execute();
}

/** Adds bytes to `disk_used`; negative ones are given back. The next recomputation makes it exact. */
export async function chargeDisk(unit: UnitOfWork, userId: string, bytes: number): Promise<void> {
  await unit.queries
    .updateTable('user')
    .set({ disk_used: sql<number>`disk_used + ${bytes}` })
    .where('id', '=', userId)
    .execute();
}
