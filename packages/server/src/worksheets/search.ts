/* Searching worksheets (worksheets.md §11.2): keywords to SQL. One's own come first, always. */
import { likePattern, parseTextMatch } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import { sql, type RawBuilder } from 'kysely';
import { groupsOf, publicGroup, resolveGroup, resolveGroupFor } from '../accounts/groups.ts';
import { userIdOf } from '../accounts/permissions.ts';
import { findUserByNameOrEmail } from '../accounts/users.ts';
import type { Queries, SqlDialect } from '../database/database.ts';
import type { Viewer } from '../http/viewer.ts';
import type { Services } from '../services.ts';
import type { WorksheetRow } from './access.ts';

interface Asker {
  viewer: Viewer;
  userId: string | null;
  isRoot: boolean;
  groups: readonly string[];
}

interface WorksheetQuery {
  conditions: RawBuilder<boolean>[];
  sort: RawBuilder<unknown> | undefined;
  limit: number;
  offset: number;
}

const defaultLimit = 10;
const mostRows = 10_000;

const sortable: Readonly<Record<string, string>> = {
  id: 'id',
  uuid: 'uuid',
  name: 'name',
  title: 'title',
  owner_id: 'owner_id',
  date_created: 'created_at',
  date_last_modified: 'changed_at',
};

/** @throws SheafError `invalid-request` for an unknown key or a malformed number, `not-found` for an unknown group */
export async function searchWorksheets(
  { database: { queries, dialect } }: Pick<Services, 'database'>,
  viewer: Viewer,
  keywords: readonly string[],
): Promise<WorksheetRow[]> {
  const userId = userIdOf(viewer);
  const isRoot = viewer.kind === 'user' && viewer.isRoot;
  const asker: Asker = { viewer, userId, isRoot, groups: [...(await groupsOf(queries, userId))] };
  const query: WorksheetQuery = { conditions: [], sort: undefined, limit: defaultLimit, offset: 0 };
  for (const keyword of keywords) await addKeyword(queries, dialect, asker, query, keyword);
  if (!isRoot) query.conditions.push(visible(asker));
  let select = queries
    .selectFrom('worksheet')
    .selectAll()
    .orderBy(sql`case when worksheet.owner_id = ${userId ?? ''} then 0 else 1 end`)
    .orderBy(query.sort ?? sql`worksheet.changed_at desc`)
    .orderBy('name')
    .limit(query.limit)
    .offset(query.offset);
  for (const condition of query.conditions) select = select.where(condition);
  return await select.execute();
}

async function addKeyword(
  queries: Queries,
  dialect: SqlDialect,
  asker: Asker,
  query: WorksheetQuery,
  keyword: string,
): Promise<void> {
  const keyed = /^([.\w/]*)=([^]*)$/.exec(keyword);
  if (keyed === null) {
    await addWord(queries, asker, query, keyword);
    return;
  }
  const [, key = '', value = ''] = keyed;
  if (key === '.limit') query.limit = Math.min(mostRows, wholeNumber(key, value));
  else if (key === '.offset') query.offset = wholeNumber(key, value);
  else if (value === '.sort' || value === '.sort-') addSort(query, key, value === '.sort-');
  else query.conditions.push(await keyCondition(queries, dialect, asker, key, value));
}

async function addWord(queries: Queries, asker: Asker, query: WorksheetQuery, word: string): Promise<void> {
  switch (word) {
    case '.mine':
      query.conditions.push(ownedBy(asker, asker.userId === null ? [] : [asker.userId]));
      return;
    case '.notmine':
      query.conditions.push(sql<boolean>`coalesce(worksheet.owner_id, '') <> ${asker.userId ?? ''}`);
      return;
    case '.shared': {
      const everybody = await publicGroup(queries);
      query.conditions.push(sharedWith(asker.groups.filter((uuid) => uuid !== everybody.uuid)));
      return;
    }
    case '.last':
      query.sort = sql`worksheet.id desc`;
      return;
    default:
      query.conditions.push(contains(['uuid', 'name', 'title'], word));
  }
}

function addSort(query: WorksheetQuery, key: string, descending: boolean): void {
  const column = sortable[key];
  if (column === undefined) throw unknownKey(key);
  const isNumber = ['id', 'created_at', 'changed_at'].includes(column);
  const ref = sql.ref(`worksheet.${column}`);
  const expression = isNumber ? ref : sql`lower(coalesce(${ref}, ''))`;
  query.sort = sql`${expression} ${descending ? sql`desc` : sql`asc`}`;
}

async function keyCondition(
  queries: Queries,
  dialect: SqlDialect,
  asker: Asker,
  key: string,
  value: string,
): Promise<RawBuilder<boolean>> {
  switch (key) {
    case '':
      return sql<boolean>`(${contains(['uuid', 'name', 'title'], value)} or exists (select 1 from worksheet_item
        where worksheet_item.worksheet_uuid = worksheet.uuid and ${like(sql`worksheet_item.value`, `%${patternOf(value)}%`)}))`;
    case 'uuid':
    case 'name':
    case 'title':
      return matches(sql.ref(`worksheet.${key}`), value);
    case 'id':
      return matches(sql`cast(worksheet.id as text)`, value);
    case 'owner_id':
      return ownedBy(asker, value.split(','));
    case 'owner': {
      const users = await Promise.all(value.split(',').map((name) => findUserByNameOrEmail(queries, name)));
      return ownedBy(
        asker,
        users.filter((user) => user !== undefined).map((user) => user.id),
      );
    }
    case 'bundle':
      return hasItem(matches(sql`worksheet_item.bundle_uuid`, value));
    case 'worksheet':
      return hasItem(matches(sql`worksheet_item.subworksheet_uuid`, value));
    case 'tag':
      return dialect.jsonListAny('worksheet.tags', (element) => matches(element, value));
    case 'group':
      return sharedWith([(await groupSeenBy(queries, asker, value)).uuid]);
    default:
      throw unknownKey(key);
  }
}

async function groupSeenBy(queries: Queries, { viewer, groups }: Asker, spec: string) {
  if (viewer.kind === 'user') return await resolveGroupFor(queries, viewer, spec);
  return await resolveGroup(queries, spec, (group) => groups.includes(group.uuid));
}

/** Nobody learns by searching whose an anonymous worksheet is (worksheets.md §2.3). */
function ownedBy(asker: Asker, ids: readonly string[]): RawBuilder<boolean> {
  if (ids.length === 0) return sql<boolean>`1 = 0`;
  const owned = sql<boolean>`worksheet.owner_id in (${sql.join(ids)})`;
  if (asker.isRoot) return owned;
  return sql<boolean>`(${owned} and (worksheet.is_anonymous = 0 or worksheet.owner_id = ${asker.userId ?? ''}))`;
}

function visible(asker: Asker): RawBuilder<boolean> {
  const shared = sharedWith(asker.groups);
  return asker.userId === null ? shared : sql<boolean>`(worksheet.owner_id = ${asker.userId} or ${shared})`;
}

function sharedWith(groups: readonly string[]): RawBuilder<boolean> {
  if (groups.length === 0) return sql<boolean>`1 = 0`;
  return sql<boolean>`exists (select 1 from worksheet_permission
    where worksheet_permission.worksheet_uuid = worksheet.uuid
    and worksheet_permission.group_uuid in (${sql.join(groups)}) and worksheet_permission.permission >= 1)`;
}

function hasItem(condition: RawBuilder<boolean>): RawBuilder<boolean> {
  return sql<boolean>`exists (select 1 from worksheet_item
    where worksheet_item.worksheet_uuid = worksheet.uuid and ${condition})`;
}

function matches(expression: RawBuilder<unknown>, value: string): RawBuilder<boolean> {
  const lowered = sql`lower(${expression})`;
  if (value.includes(',')) {
    return sql<boolean>`${lowered} in (${sql.join(value.split(',').map((one) => one.toLowerCase()))})`;
  }
  const match = parseTextMatch(value);
  return match.kind === 'exact'
    ? sql<boolean>`${lowered} = ${value.toLowerCase()}`
    : like(expression, likePattern(match));
}

function contains(columns: readonly string[], word: string): RawBuilder<boolean> {
  const pattern = `%${patternOf(word)}%`;
  const conditions = columns.map((column) => like(sql.ref(`worksheet.${column}`), pattern));
  return sql<boolean>`(${sql.join(conditions, sql` or `)})`;
}

function like(expression: RawBuilder<unknown>, pattern: string): RawBuilder<boolean> {
  return sql<boolean>`lower(coalesce(${expression}, '')) like ${pattern.toLowerCase()} escape '\\'`;
}

function patternOf(word: string): string {
  return likePattern(parseTextMatch(word));
}

function wholeNumber(key: string, value: string): number {
  const number = Number(value);
  if (/^\d+$/.test(value) && Number.isSafeInteger(number)) return number;
  throw new SheafError('invalid-request', `Invalid ${key}: ${value}, expected a whole number`);
}

function unknownKey(key: string): SheafError {
  return new SheafError('invalid-request', `Unknown key: ${key}`);
}
