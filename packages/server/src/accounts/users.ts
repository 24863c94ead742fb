/* The rows of people. Names and addresses are unique without regard to case; an exact match is preferred (rest-api.md §9.1). */
import { sql, type Selectable } from 'kysely';
import type { Queries, TransactionQueries } from '../database/database.ts';
import type { UserTable } from '../database/schema.ts';

export type UserRow = Selectable<UserTable>;
export type AnyQueries = Queries | TransactionQueries;

export const rootUserId = '0';

export async function findUser(queries: AnyQueries, id: string): Promise<UserRow | undefined> {
  return await queries
    .selectFrom('user')
    .selectAll()
    .where('id', '=', id)
    .where('is_active', '=', 1)
    .executeTakeFirst();
}

/** Looks an active user up by name or e-mail address. */
export async function findUserByNameOrEmail(queries: AnyQueries, text: string): Promise<UserRow | undefined> {
  const wanted = text.toLowerCase();
  const rows = await queries
    .selectFrom('user')
    .selectAll()
    .where('is_active', '=', 1)
    .where((eb) =>
      eb.or([
        eb(sql<string>`lower(name)`, '=', wanted),
        eb.and([eb(sql<string>`lower(email)`, '=', wanted), eb('email', '<>', '')]),
      ]),
    )
    .execute();
  return (
    rows.find((row) => row.name === text) ??
    rows.find((row) => row.email === text) ??
    rows.find((row) => row.name.toLowerCase() === wanted) ??
    rows[0]
  );
}

/** By id, else by name or address (rest-api.md §6.2). */
export async function findUserBySpec(queries: AnyQueries, spec: string): Promise<UserRow | undefined> {
  return (await findUser(queries, spec)) ?? (await findUserByNameOrEmail(queries, spec));
}

export async function usersByIds(
  queries: AnyQueries,
  ids: Iterable<string>,
): Promise<ReadonlyMap<string, UserRow>> {
  const wanted = [...new Set(ids)];
  if (wanted.length === 0) return new Map();
  const rows = await queries.selectFrom('user').selectAll().where('id', 'in', wanted).execute();
  return new Map(rows.map((row) => [row.id, row]));
}
