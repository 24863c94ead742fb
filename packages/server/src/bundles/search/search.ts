/* Searching bundles: keywords in, uuids or a number out (rest-api.md §12). */
import {
  parseSearch,
  postProcess,
  type GenpathValue,
  type SearchCondition,
  type SearchQuery,
} from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import { sql, type RawBuilder } from 'kysely';
import { groupsOf, publicGroup, resolveGroup, resolveGroupFor } from '../../accounts/groups.ts';
import { userIdOf } from '../../accounts/permissions.ts';
import { findUserByNameOrEmail } from '../../accounts/users.ts';
import type { Database, Queries } from '../../database/database.ts';
import type { Viewer } from '../../http/viewer.ts';
import type { Services } from '../../services.ts';
import {
  compileCondition,
  compileOrder,
  compileSummand,
  compileVisibility,
  type Asker,
  type ResolvedCondition,
} from './compile.ts';

export type SearchResult = { kind: 'bundles'; uuids: string[] } | { kind: 'value'; value: GenpathValue };

/** @throws SheafError `invalid-request` for keywords that cannot be read, `not-found` for an unknown group */
export async function searchBundles(
  { database }: Pick<Services, 'database'>,
  viewer: Viewer,
  keywords: readonly string[],
): Promise<SearchResult> {
  const parsed = parseSearch(keywords);
  if (!parsed.ok) throw new SheafError('invalid-request', parsed.problem);
  const query = parsed.value;
  const where = await whereOf(database, viewer, query);
  if (query.aggregate === undefined) {
    return { kind: 'bundles', uuids: await selectUuids(database, query, where) };
  }
  const number = await selectAggregate(database, query, query.aggregate, where);
  return { kind: 'value', value: postProcess(number, query.format ?? null) };
}

/** The condition of a search, with everything resolved that takes a look-up. */
async function whereOf(
  { queries, dialect }: Database,
  viewer: Viewer,
  query: SearchQuery,
): Promise<RawBuilder<boolean>> {
  const asker: Asker = {
    userId: userIdOf(viewer),
    isRoot: viewer.kind === 'user' && viewer.isRoot,
    groups: [...(await groupsOf(queries, userIdOf(viewer)))],
  };
  const conditions: RawBuilder<boolean>[] = [];
  for (const condition of query.conditions) {
    conditions.push(compileCondition(await resolve(queries, viewer, asker, condition), asker, dialect));
  }
  const visibility = compileVisibility(asker);
  if (visibility !== undefined) conditions.push(visibility);
  if (conditions.length === 0) return sql<boolean>`1 = 1`;
  return sql<boolean>`${sql.join(conditions, sql` and `)}`;
}

async function resolve(
  queries: Queries,
  viewer: Viewer,
  asker: Asker,
  condition: SearchCondition,
): Promise<ResolvedCondition> {
  if (condition.kind === 'owner') {
    const users = await Promise.all(condition.names.map((name) => findUserByNameOrEmail(queries, name)));
    return { kind: 'owner-ids', ids: users.filter((user) => user !== undefined).map((user) => user.id) };
  }
  if (condition.kind === 'mine') {
    return { kind: 'owner-ids', ids: asker.userId === null ? [] : [asker.userId] };
  }
  if (condition.kind === 'shared') {
    const everybody = await publicGroup(queries);
    return { kind: 'groups', uuids: asker.groups.filter((uuid) => uuid !== everybody.uuid) };
  }
  if (condition.kind === 'group') {
    const group =
      viewer.kind === 'user'
        ? await resolveGroupFor(queries, viewer, condition.spec)
        : await resolveGroup(queries, condition.spec, (found) => asker.groups.includes(found.uuid));
    return { kind: 'groups', uuids: [group.uuid] };
  }
  return condition;
}

async function selectUuids(
  { queries, dialect }: Database,
  query: SearchQuery,
  where: RawBuilder<boolean>,
): Promise<string[]> {
  let select = queries.selectFrom('bundle').select('uuid').where(where);
  if (query.sort !== undefined) {
    const direction = query.sort.descending ? sql`desc` : sql`asc`;
    select = select.orderBy(sql`${compileOrder(query.sort.field, dialect)} ${direction}`);
  }
  select = select.orderBy('id');
  // SQLite takes an offset only behind a limit.
  if (query.limit !== null || query.offset > 0) select = select.limit(query.limit ?? Number.MAX_SAFE_INTEGER);
  if (query.offset > 0) select = select.offset(query.offset);
  return (await select.execute()).map((row) => row.uuid);
}

async function selectAggregate(
  { queries, dialect }: Database,
  query: SearchQuery,
  aggregate: NonNullable<SearchQuery['aggregate']>,
  where: RawBuilder<boolean>,
): Promise<number | null> {
  if (aggregate.kind === 'count') {
    const { found } = await queries
      .selectFrom('bundle')
      .select(sql<number>`count(*)`.as('found'))
      .where(where)
      .executeTakeFirstOrThrow();
    return query.limit === null ? found : Math.min(found, query.limit);
  }
  const { total } = await queries
    .selectFrom('bundle')
    .select(sql<number | null>`sum(${compileSummand(aggregate.field, dialect)})`.as('total'))
    .where(where)
    .executeTakeFirstOrThrow();
  return total;
}
