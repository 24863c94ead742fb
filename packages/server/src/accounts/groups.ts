/* Groups and who belongs to them. Everybody, signed in or not, belongs to `public` (rest-api.md §7). */
import { isName, isUuid, isUuidPrefix } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import { sql, type Selectable } from 'kysely';
import type { GroupTable } from '../database/schema.ts';
import type { UserViewer } from '../http/viewer.ts';
import { rootUserId, type AnyQueries } from './users.ts';

export type GroupRow = Selectable<GroupTable>;

export const publicGroupName = 'public';

/** The uuids of all groups of somebody, `public` included; null is somebody who is not signed in. */
export async function groupsOf(queries: AnyQueries, userId: string | null): Promise<ReadonlySet<string>> {
  const rows = await queries
    .selectFrom('user_group')
    .select('uuid')
    .where('user_defined', '=', 0)
    .unionAll((eb) =>
      eb
        .selectFrom('group_member')
        .select('group_uuid as uuid')
        .where('user_id', '=', userId ?? ''),
    )
    .execute();
  return new Set(rows.map((row) => row.uuid));
}

export async function publicGroup(queries: AnyQueries): Promise<GroupRow> {
  return await queries
    .selectFrom('user_group')
    .selectAll()
    .where('user_defined', '=', 0)
    .where('name', '=', publicGroupName)
    .executeTakeFirstOrThrow();
}

export async function groupsByIds(
  queries: AnyQueries,
  uuids: Iterable<string>,
): Promise<ReadonlyMap<string, GroupRow>> {
  const wanted = [...new Set(uuids)];
  if (wanted.length === 0) return new Map();
  const rows = await queries.selectFrom('user_group').selectAll().where('uuid', 'in', wanted).execute();
  return new Map(rows.map((row) => [row.uuid, row]));
}

/**
 * Resolves a group spec: a uuid, the beginning of one, or a name (rest-api.md §7.2).
 * @param among which groups are looked at; absent: all.
 * @throws SheafError `not-found`, `ambiguous-spec`, `invalid-request` for a malformed name
 */
export async function resolveGroup(
  queries: AnyQueries,
  spec: string,
  among?: (group: GroupRow) => boolean,
): Promise<GroupRow> {
  const text = spec.trim();
  const found = (await candidates(queries, text)).filter((group) => among === undefined || among(group));
  const [only, second] = found;
  if (only === undefined) throw new SheafError('not-found', `Found no group with spec ${text}.`);
  if (second === undefined) return only;
  const exact = found.filter((group) => group.name === text);
  if (exact[0] !== undefined && exact.length === 1) return exact[0];
  const uuids = found.map((group) => group.uuid).join(', ');
  throw new SheafError('ambiguous-spec', `Found multiple groups with spec ${text}: ${uuids}`);
}

async function candidates(queries: AnyQueries, text: string): Promise<GroupRow[]> {
  const all = queries.selectFrom('user_group').selectAll().orderBy('uuid').limit(20);
  if (isUuid(text)) return await all.where('uuid', '=', text).execute();
  if (isUuidPrefix(text)) {
    return await all.where('uuid', '>=', text).where('uuid', '<', `${text}g`).execute();
  }
  if (!isName(text)) throw new SheafError('invalid-request', `Invalid group spec: ${text}`);
  return await all.where(sql<string>`lower(name)`, '=', text.toLowerCase()).execute();
}

/** The same with the eyes of somebody who writes: others' groups do not exist for him (rest-api.md §7.2). */
export async function resolveGroupFor(
  queries: AnyQueries,
  viewer: UserViewer,
  spec: string,
): Promise<GroupRow> {
  return await resolveGroupForUser(queries, viewer.id, spec);
}

async function resolveGroupForUser(queries: AnyQueries, userId: string, spec: string): Promise<GroupRow> {
  if (userId === rootUserId) return await resolveGroup(queries, spec);
  const own = await groupsOf(queries, userId);
  return await resolveGroup(queries, spec, (group) => group.owner_id === userId || own.has(group.uuid));
}

/**
 * The group a worker is shared with, by the name its owner gave.
 * @throws SheafError `not-found` where the owner has no such group
 */
export async function resolveGroupForWorker(
  queries: AnyQueries,
  userId: string,
  name: string,
): Promise<GroupRow> {
  return await resolveGroupForUser(queries, userId, name);
}
