/* Making users, and the administrator of a new installation (rest-api.md §6.1). */
import { isName, nameProblem } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import { sql } from 'kysely';
import { lockNames } from '../database/name-lock.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { Services } from '../services.ts';
import type { UserRow } from './users.ts';

export interface NewUser {
  /** Any text of at most 63 characters; absent: a fresh uuid. */
  id?: string;
  name: string;
  passwordHash: string;
  /** Any unique text; empty for none. */
  email: string;
  firstName?: string | null;
  lastName?: string | null;
  affiliation?: string | null;
  isVerified: boolean;
  hasAccess: boolean;
  /** Seconds, bytes, runs; absent ones are those of new users. */
  timeQuota?: number;
  diskQuota?: number;
  parallelRuns?: number;
}

/** @throws SheafError `invalid-request` for a malformed name or id, `conflict` where id, name or address is taken */
export async function createUser(
  unit: UnitOfWork,
  user: NewUser,
  { settings, clock, ids }: Pick<Services, 'settings' | 'clock' | 'ids'>,
): Promise<UserRow> {
  const id = user.id ?? ids.uuid();
  if (!isName(user.name)) {
    throw new SheafError(
      'invalid-request',
      nameProblem('user', user.name) ?? `Invalid user name: ${user.name}`,
    );
  }
  if (id === '' || id.length > 63 || user.name.length > 63 || user.email.length > 254) {
    throw new SheafError('invalid-request', 'User ids and names have at most 63 characters, addresses 254.');
  }
  await refuseTaken(unit, { id, name: user.name, email: user.email });
  return await unit.queries
    .insertInto('user')
    .values({
      id,
      name: user.name,
      email: user.email,
      password_hash: user.passwordHash,
      first_name: user.firstName ?? null,
      last_name: user.lastName ?? null,
      affiliation: user.affiliation ?? null,
      url: null,
      is_active: 1,
      is_verified: user.isVerified ? 1 : 0,
      has_access: user.hasAccess ? 1 : 0,
      time_quota: user.timeQuota ?? settings.newUser.timeQuota,
      time_used: 0,
      disk_quota: user.diskQuota ?? settings.newUser.diskQuota,
      disk_used: 0,
      parallel_run_quota: user.parallelRuns ?? settings.newUser.parallelRuns,
      joined_at: clock.now(),
      last_login_at: null,
      avatar_id: null,
      notifications: 2,
      number: sql<number>`(select coalesce(max(number), 0) + 1 from "user")`,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Names and addresses that differ only in case count as taken. @throws SheafError `conflict` */
async function refuseTaken(
  unit: UnitOfWork,
  user: { id: string; name: string; email: string },
): Promise<void> {
  await lockNames(unit);
  const taken = await unit.queries
    .selectFrom('user')
    .select(['id', 'name', 'email'])
    .where((eb) =>
      eb.or([
        eb('id', '=', user.id),
        eb(sql<string>`lower(name)`, '=', user.name.toLowerCase()),
        eb.and([eb(sql<string>`lower(email)`, '=', user.email.toLowerCase()), eb('email', '<>', '')]),
      ]),
    )
    .executeTakeFirst();
  if (taken === undefined) return;
  const what =
    taken.id === user.id
      ? `id ${user.id}`
      : taken.name.toLowerCase() === user.name.toLowerCase()
        ? `name ${user.name}`
        : `e-mail address ${user.email}`;
  throw new SheafError('conflict', `A user with the ${what} already exists.`);
}
