/* Searching users (rest-api.md §6.3): keywords to SQL. Only active users are found. */
import { likePattern, parseInstant, parseTextMatch } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import { sql, type RawBuilder } from 'kysely';
import type { Queries } from '../database/database.ts';
import type { UserRow } from './users.ts';

const numbers = ['time_quota', 'parallel_run_quota', 'time_used', 'disk_quota', 'disk_used'] as const;
const texts = ['email', 'first_name', 'last_name', 'affiliation'] as const;

/** Column and order of each field. `id` is the insertion number. */
const fields: ReadonlyMap<string, { column: string; isNumber: boolean }> = new Map([
  ['id', { column: 'number', isNumber: true }],
  ['user_id', { column: 'id', isNumber: false }],
  ['user_name', { column: 'name', isNumber: false }],
  ['last_login', { column: 'last_login_at', isNumber: true }],
  ...numbers.map((name) => [name, { column: name, isNumber: true }] as const),
  ...texts.map((name) => [name, { column: name, isNumber: false }] as const),
]);

/** What everybody may search by; the rest is root's (rest-api.md §6.3). */
const openKeys: ReadonlySet<string> = new Set([
  'user_name',
  'first_name',
  'last_name',
  'affiliation',
  '.joined_before',
  '.joined_after',
  '.limit',
  '.offset',
  '.last',
  '.count',
  '.format',
]);

const defaultLimit = 10;

interface UserQuery {
  conditions: RawBuilder<boolean>[];
  sort: RawBuilder<unknown> | undefined;
  limit: number | null;
  offset: number;
  count: boolean;
  format: string | null;
}

export type UserSearchResult =
  | { kind: 'users'; users: UserRow[] }
  | { kind: 'count'; count: number; format: string | null };

/** @throws SheafError `permission-denied` for private fields, `invalid-request` for unknown or malformed keywords */
export async function searchUsers(
  queries: Queries,
  keywords: readonly string[],
  isRoot: boolean,
  named: readonly string[],
): Promise<UserSearchResult> {
  const query = readKeywords(keywords, isRoot);
  if (named.length > 0) query.conditions.push(namedCondition(named));
  const where = sql<boolean>`${sql.join([sql<boolean>`is_active = 1`, ...query.conditions], sql` and `)}`;
  if (query.count) {
    const { found } = await queries
      .selectFrom('user')
      .select(sql<number>`count(*)`.as('found'))
      .where(where)
      .executeTakeFirstOrThrow();
    return {
      kind: 'count',
      count: query.limit === null ? found : Math.min(found, query.limit),
      format: query.format,
    };
  }
  let select = queries.selectFrom('user').selectAll().where(where);
  if (query.sort !== undefined) select = select.orderBy(query.sort);
  const users = await select
    .orderBy('number')
    .limit(query.limit ?? Number.MAX_SAFE_INTEGER)
    .offset(query.offset)
    .execute();
  return { kind: 'users', users };
}

function readKeywords(keywords: readonly string[], isRoot: boolean): UserQuery {
  const query: UserQuery = {
    conditions: [],
    sort: undefined,
    limit: defaultLimit,
    offset: 0,
    count: false,
    format: null,
  };
  for (const keyword of keywords) addKeyword(query, keyword, isRoot);
  return query;
}

function addKeyword(query: UserQuery, keyword: string, isRoot: boolean): void {
  const [key, value] = splitKeyword(keyword);
  if (key === '') {
    query.conditions.push(wordCondition(value));
    return;
  }
  const isKnown = openKeys.has(key) || fields.has(key) || key in dates || key in fractions;
  if (!isKnown) throw new SheafError('invalid-request', `Unknown key: ${key}`);
  if (!isRoot && !openKeys.has(key)) {
    throw new SheafError('permission-denied', "You don't have access to search for these fields", {
      next: 'Search by name.',
    });
  }
  applyKey(query, key, value);
}

/** Key and value; a bare word has no key. */
function splitKeyword(keyword: string): [string, string] {
  if (keyword === '.last' || keyword === '.count') return [keyword, ''];
  const [, key = '', value = keyword] = /^([.\w/]*)=([^]*)$/.exec(keyword) ?? [];
  return [key, value];
}

function applyKey(query: UserQuery, key: string, value: string): void {
  switch (key) {
    case '.limit':
      query.limit = wholeNumber(key, value);
      return;
    case '.offset':
      query.offset = wholeNumber(key, value);
      return;
    case '.count':
      query.count = true;
      query.limit = null;
      return;
    case '.last':
      query.sort = sql`number desc`;
      return;
    case '.format':
      query.format = value;
      return;
    default:
      applyField(query, key, value);
  }
}

function applyField(query: UserQuery, key: string, value: string): void {
  const date = dates[key];
  const fraction = fractions[key];
  if (date !== undefined) query.conditions.push(dateCondition(date, key, value));
  else if (fraction !== undefined) query.conditions.push(fractionCondition(fraction, key, value));
  else if (value === '.sort' || value === '.sort-') {
    query.sort = sql`${sortExpression(key)} ${value === '.sort' ? sql`asc` : sql`desc`}`;
  } else query.conditions.push(fieldCondition(key, value));
}

function sortExpression(key: string): RawBuilder<unknown> {
  const field = fields.get(key);
  const column = sql.ref(field?.column ?? 'number');
  // Absent ones first on both engines.
  return field?.isNumber === true ? sql`coalesce(${column}, 0)` : sql`lower(coalesce(${column}, ''))`;
}

function fieldCondition(key: string, value: string): RawBuilder<boolean> {
  const field = fields.get(key);
  const column = sql.ref(field?.column ?? 'number');
  const compared = field?.isNumber === true ? numberText(column) : sql`lower(${column})`;
  if (value.includes(',')) {
    return sql<boolean>`${compared} in (${sql.join(value.split(',').map((one) => one.toLowerCase()))})`;
  }
  const match = parseTextMatch(value);
  return match.kind === 'exact'
    ? sql<boolean>`${compared} = ${value.toLowerCase()}`
    : sql<boolean>`${compared} like ${likePattern(match).toLowerCase()} escape '\\'`;
}

/** Whole numbers without a fraction, on both engines. */
function numberText(column: RawBuilder<unknown>): RawBuilder<string> {
  return sql<string>`cast(cast(${column} as bigint) as text)`;
}

function wordCondition(word: string): RawBuilder<boolean> {
  const pattern = `%${likePattern(parseTextMatch(word))}%`.toLowerCase();
  const columns = ['id', 'name', 'first_name', 'last_name'].map(
    (column) => sql<boolean>`lower(coalesce(${sql.ref(column)}, '')) like ${pattern} escape '\\'`,
  );
  return sql<boolean>`(${sql.join(columns, sql` or `)})`;
}

/** `filter[user_name]` and `filter[email]`: each value is a name or an address. */
function namedCondition(named: readonly string[]): RawBuilder<boolean> {
  const wanted = sql.join(named.map((name) => name.toLowerCase()));
  return sql<boolean>`(lower(name) in (${wanted}) or (email <> '' and lower(email) in (${wanted})))`;
}

const dates: Readonly<Record<string, { column: string; comparison: 'before' | 'after' }>> = {
  '.joined_before': { column: 'joined_at', comparison: 'before' },
  '.joined_after': { column: 'joined_at', comparison: 'after' },
  '.active_before': { column: 'last_login_at', comparison: 'before' },
  '.active_after': { column: 'last_login_at', comparison: 'after' },
};

/** Cut to whole seconds, so that a user made in the same second is found (rest-api.md §6.3). */
function dateCondition(
  { column, comparison }: { column: string; comparison: 'before' | 'after' },
  key: string,
  value: string,
): RawBuilder<boolean> {
  const instant = parseInstant(value, 0);
  if (!instant.ok) throw new SheafError('invalid-request', `Invalid ${key}: ${instant.problem}`);
  return comparison === 'before'
    ? sql<boolean>`${sql.ref(column)} < ${(instant.value + 1) * 1000}`
    : sql<boolean>`${sql.ref(column)} >= ${instant.value * 1000}`;
}

const fractions: Readonly<Record<string, { used: string; quota: string; comparison: 'less' | 'more' }>> = {
  '.disk_used_less_than': { used: 'disk_used', quota: 'disk_quota', comparison: 'less' },
  '.disk_used_more_than': { used: 'disk_used', quota: 'disk_quota', comparison: 'more' },
  '.time_used_less_than': { used: 'time_used', quota: 'time_quota', comparison: 'less' },
  '.time_used_more_than': { used: 'time_used', quota: 'time_quota', comparison: 'more' },
};

function fractionCondition(
  { used, quota, comparison }: { used: string; quota: string; comparison: 'less' | 'more' },
  key: string,
  value: string,
): RawBuilder<boolean> {
  const match = /^(\d+(?:\.\d+)?|\.\d+)(%?)$/.exec(value.trim());
  if (match === null)
    throw new SheafError('invalid-request', `Invalid ${key}: ${value}, expected 70% or 0.7`);
  const fraction = Number(match[1]) / (match[2] === '%' ? 100 : 1);
  const bound = sql`cast(${fraction} as double precision) * ${sql.ref(quota)}`;
  return comparison === 'less'
    ? sql<boolean>`${sql.ref(used)} <= ${bound}`
    : sql<boolean>`${sql.ref(used)} >= ${bound}`;
}

function wholeNumber(key: string, value: string): number {
  const number = Number(value);
  if (/^\d+$/.test(value) && Number.isSafeInteger(number)) return number;
  throw new SheafError('invalid-request', `Invalid ${key}: ${value}, expected a whole number`);
}
