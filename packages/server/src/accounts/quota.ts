/* What people have used of what they may use (bundles.md §16). Bytes are exact: scripts compare them. */
import type { Quota } from '@sheaf/domain';
import { sql } from 'kysely';
import { givenTexts } from '../database/given-rows.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { forgetBytes, sumOfCharges } from './charges.ts';
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
  forgetBytes(unit, userId);
  return used;
}

/** The quotas of those who exist, with what they are charged with in this unit of work. */
export async function readQuotas(
  unit: UnitOfWork,
  userIds: Iterable<string>,
): Promise<ReadonlyMap<string, Quota>> {
  const { rows } = await sql<UserRow>`select "user".* from ${givenTexts(unit.dialect, userIds)} as wanted
    join "user" on "user".id = wanted.given`.execute(unit.queries);
  const charged = sumOfCharges(unit);
  return new Map(
    rows.map((row) => {
      const quota = quotaOf(row);
      const { seconds = 0, bytes = 0 } = charged.get(row.id) ?? {};
      return [
        row.id,
        { ...quota, timeUsed: quota.timeUsed + seconds, diskUsed: quota.diskUsed + bytes },
      ] as const;
    }),
  );
}
