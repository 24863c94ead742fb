/* Changing people's accounts: what they may set themselves, and what root sets (rest-api.md §6.1, §6.2). */
import { nameProblem } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import { sql, type UpdateObject } from 'kysely';
import { z } from 'zod';
import type { Tables } from '../database/schema.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { parseUserDate } from '../http/instant.ts';
import type { UserRow } from './users.ts';

const shortText = z.string().max(30).nullish();
const longText = z.string().max(255).nullish();
const whole = z.number().min(0).transform(Math.trunc).optional();
const flag = z.boolean().nullish();

export const userAttributes = z.object({
  user_name: z.string().max(63).optional(),
  first_name: shortText,
  last_name: shortText,
  affiliation: longText,
  url: z.url().max(255).nullish().or(z.literal('')),
  avatar_id: z.string().max(63).nullish(),
  notifications: z.union([z.literal(0), z.literal(1), z.literal(2)]).optional(),
  email: z.string().max(254).optional(),
  has_access: flag,
  is_verified: flag,
  time_quota: whole,
  time_used: whole,
  parallel_run_quota: whole,
  disk_quota: whole,
  disk_used: whole,
  date_joined: z.string().nullish(),
  last_login: z.string().nullish(),
});

export type UserAttributes = z.output<typeof userAttributes>;

/** In the order in which a refusal names them. */
const readOnlyForSelf = [
  'email',
  'has_access',
  'time_quota',
  'parallel_run_quota',
  'time_used',
  'disk_quota',
  'disk_used',
  'date_joined',
  'last_login',
] as const satisfies readonly (keyof UserAttributes)[];

/** @throws SheafError `permission-denied` naming the fields */
export function refuseReadOnlyFields(sent: object): void {
  const refused = readOnlyForSelf.filter((key) => Object.hasOwn(sent, key));
  if (refused.length === 0) return;
  throw new SheafError('permission-denied', `These fields are read-only: ${refused.join(', ')}`, {
    next: 'Ask the administrator to change them.',
  });
}

/** The fields everybody sets for himself; the rest of what was sent is ignored. */
export function selfSettable(sent: UserAttributes): UserAttributes {
  const { user_name, first_name, last_name, affiliation, url, avatar_id, notifications } = sent;
  return { user_name, first_name, last_name, affiliation, url, avatar_id, notifications };
}

/** @throws SheafError `invalid-request` for a taken or malformed name or address */
export async function changeUser(unit: UnitOfWork, user: UserRow, sent: UserAttributes): Promise<UserRow> {
  await refuseUnusable(unit, user, sent);
  const changes = columnsOf(sent);
  if (Object.keys(changes).length === 0) return user;
  unit.announce({ type: 'access.changed' });
  return await unit.queries
    .updateTable('user')
    .set(changes)
    .where('id', '=', user.id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

async function refuseUnusable(unit: UnitOfWork, user: UserRow, sent: UserAttributes): Promise<void> {
  const { user_name: name, email } = sent;
  if (name !== undefined && (await isTaken(unit, user.id, 'name', name))) {
    throw new SheafError('invalid-request', `User name ${name} is already taken.`);
  }
  const problem = name === undefined ? undefined : nameProblem('user', name);
  if (problem !== undefined) throw new SheafError('invalid-request', problem);
  if (email !== undefined && email !== '' && (await isTaken(unit, user.id, 'email', email))) {
    throw new SheafError('invalid-request', `E-mail address ${email} is already taken.`);
  }
}

async function isTaken(
  unit: UnitOfWork,
  except: string,
  column: 'name' | 'email',
  text: string,
): Promise<boolean> {
  const other = await unit.queries
    .selectFrom('user')
    .select('id')
    .where(sql<string>`lower(${sql.ref(column)})`, '=', text.toLowerCase())
    .where('id', '<>', except)
    .executeTakeFirst();
  return other !== undefined;
}

function columnsOf(sent: UserAttributes): UpdateObject<Tables, 'user'> {
  const asFlag = (value: boolean | null | undefined) =>
    value === undefined ? undefined : value === true ? 1 : 0;
  const columns: UpdateObject<Tables, 'user'> = {
    name: sent.user_name,
    email: sent.email,
    first_name: sent.first_name,
    last_name: sent.last_name,
    affiliation: sent.affiliation,
    url: sent.url === '' ? null : sent.url,
    avatar_id: sent.avatar_id,
    notifications: sent.notifications,
    has_access: asFlag(sent.has_access),
    is_verified: asFlag(sent.is_verified),
    time_quota: sent.time_quota,
    time_used: sent.time_used,
    parallel_run_quota: sent.parallel_run_quota,
    disk_quota: sent.disk_quota,
    disk_used: sent.disk_used,
    joined_at: dateOf('date_joined', sent.date_joined) ?? undefined,
    last_login_at: sent.last_login === null ? null : dateOf('last_login', sent.last_login),
  };
  return Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined));
}

function dateOf(field: string, text: string | null | undefined): number | undefined {
  if (text === null || text === undefined) return undefined;
  const instant = parseUserDate(text);
  if (instant === undefined) throw new SheafError('invalid-request', `${field}: ${text} is no date.`);
  return instant;
}
