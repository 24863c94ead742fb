/*
 * A bundle search as SQL (rest-api.md §12). Every condition stands for itself: relations are asked about with `exists`, so
 * that the same one may occur twice and nothing is counted double.
 */
import { isOpen } from '../open-bundles.ts';
import { assertNever, metadataTypeOf, type SearchCondition, type SearchField } from '@sheaf/domain';
import { sql, type RawBuilder } from 'kysely';
import type { SqlDialect } from '../../database/database.ts';
import { matches, contains } from './text-conditions.ts';

/** Names are looked up before: owners and groups by their ids. */
export type ResolvedCondition =
  | Exclude<SearchCondition, { kind: 'owner' | 'group' | 'mine' | 'shared' }>
  | { kind: 'owner-ids'; ids: readonly string[] }
  /** Readable by one of these groups. */
  | { kind: 'groups'; uuids: readonly string[] };

export interface Asker {
  userId: string | null;
  isRoot: boolean;
  /** All groups, `public` included. */
  groups: readonly string[];
}

export function compileCondition(
  condition: ResolvedCondition,
  asker: Asker,
  dialect: SqlDialect,
): RawBuilder<boolean> {
  switch (condition.kind) {
    case 'word':
      return either(
        contains(sql`bundle.uuid`, condition.contains),
        contains(sql`lower(bundle.name)`, condition.contains),
      );
    case 'anywhere':
      return either(
        contains(sql`bundle.uuid`, condition.contains),
        contains(sql`lower(coalesce(bundle.command, ''))`, condition.contains),
        dialect.jsonAnyValue('bundle.metadata', (value) =>
          contains(sql`lower(${value})`, condition.contains),
        ),
      );
    case 'field':
      return fieldCondition(condition, asker, dialect);
    case 'has-field':
      return hasField(condition.field, dialect);
    case 'owner-ids':
      return both(oneOf(sql`bundle.owner_id`, condition.ids), ownerShown(asker));
    case 'groups':
      return sharedWith(condition.uuids);
    case 'dependency':
      return sql<boolean>`exists (select 1 from dependency where dependency.child_uuid = bundle.uuid
        and ${matches(sql`dependency.parent_uuid`, condition.parent)}
        and ${condition.key === undefined ? sql<boolean>`1 = 1` : sql<boolean>`dependency.child_path = ${condition.key}`})`;
    case 'host-worksheet':
      return sql<boolean>`exists (select 1 from worksheet_item where worksheet_item.bundle_uuid = bundle.uuid
        and ${matches(sql`worksheet_item.worksheet_uuid`, condition.worksheet)})`;
    case 'floating':
      return sql<boolean>`not exists (select 1 from worksheet_item where worksheet_item.bundle_uuid = bundle.uuid)`;
    case 'created-before':
      return sql<boolean>`bundle.created_at < ${(condition.seconds + 1) * 1000}`;
    case 'created-after':
      return sql<boolean>`bundle.created_at >= ${condition.seconds * 1000}`;
    default:
      return assertNever(condition);
  }
}

/** What the asker may see (rest-api.md §12.3); undefined for root, who sees everything. */
export function compileVisibility(asker: Asker): RawBuilder<boolean> | undefined {
  if (asker.isRoot) return undefined;
  const shared = sharedWith(asker.groups);
  return asker.userId === null ? shared : either(sql<boolean>`bundle.owner_id = ${asker.userId}`, shared);
}

/** The expression a field is sorted by. */
export function compileOrder(field: SearchField, dialect: SqlDialect): RawBuilder<unknown> {
  if (field.kind === 'column') {
    return field.order === 'number' ? sql`bundle.id` : sql`coalesce(${columnOf(field.column)}, '')`;
  }
  if (field.key === 'name') return sql`bundle.name`;
  if (field.key === 'created') return sql`bundle.created_at`;
  if (field.key === 'data_size') return sql`bundle.data_size`;
  const text = dialect.jsonText('bundle.metadata', field.key);
  return field.order === 'number' ? dialect.toNumber(text) : sql`lower(${text})`;
}

/** The expression a field is summed up by. */
export function compileSummand(field: SearchField, dialect: SqlDialect): RawBuilder<number> {
  if (field.kind === 'metadata') {
    if (field.key === 'data_size') return sql<number>`bundle.data_size`;
    return dialect.toNumber(dialect.jsonText('bundle.metadata', field.key));
  }
  if (field.column === 'id') return sql<number>`bundle.id`;
  return dialect.toNumber(sql<string | null>`${columnOf(field.column)}`);
}

function fieldCondition(
  { field, value }: Extract<SearchCondition, { kind: 'field' }>,
  asker: Asker,
  dialect: SqlDialect,
): RawBuilder<boolean> {
  if (field.kind === 'metadata') {
    if (field.key === 'name') return matches(sql`lower(bundle.name)`, value);
    if (metadataTypeOf(field.key) === 'list') {
      return dialect.jsonArrayAny('bundle.metadata', field.key, (element) =>
        matches(sql`lower(${element})`, value),
      );
    }
    return matches(sql`lower(${dialect.jsonText('bundle.metadata', field.key)})`, value);
  }
  switch (field.column) {
    case 'state':
      return both(matches(sql`bundle.state`, value), openHint(value));
    case 'owner_id':
      return both(matches(sql`lower(bundle.owner_id)`, value), ownerShown(asker));
    case 'id':
      return matches(sql`cast(bundle.id as text)`, value);
    case 'command':
      return matches(sql`lower(bundle.command)`, value);
    case 'uuid':
    case 'bundle_type':
      return matches(columnOf(field.column), value);
    default:
      return assertNever(field.column);
  }
}

const finals = new Set(['ready', 'failed', 'killed']);

function openHint(value: { kind: string; text?: string; texts?: string[] }): RawBuilder<boolean> {
  const states = value.kind === 'one-of' ? value.texts : value.kind === 'exact' ? [value.text] : undefined;
  const open = states?.every((state) => state !== undefined && !finals.has(state.toLowerCase())) === true;
  return open ? isOpen() : sql<boolean>`1 = 1`;
}

function hasField(field: SearchField, dialect: SqlDialect): RawBuilder<boolean> {
  if (field.kind === 'column') return sql<boolean>`${columnOf(field.column)} is not null`;
  if (field.key === 'name' || field.key === 'created') return sql<boolean>`1 = 1`;
  return sql<boolean>`${dialect.jsonText('bundle.metadata', field.key)} is not null`;
}

/** Nobody learns by searching whose an anonymous bundle is (bundles.md §10.3). */
function ownerShown(asker: Asker): RawBuilder<boolean> {
  if (asker.isRoot) return sql<boolean>`1 = 1`;
  const open = sql<boolean>`bundle.is_anonymous = 0`;
  return asker.userId === null ? open : either(open, sql<boolean>`bundle.owner_id = ${asker.userId}`);
}

function sharedWith(groups: readonly string[]): RawBuilder<boolean> {
  return sql<boolean>`exists (select 1 from bundle_permission where bundle_permission.bundle_uuid = bundle.uuid
    and ${oneOf(sql`bundle_permission.group_uuid`, groups)} and bundle_permission.permission >= 1)`;
}

function columnOf(column: string): RawBuilder<string> {
  return sql<string>`${sql.ref(`bundle.${column}`)}`;
}

function oneOf(expression: RawBuilder<unknown>, values: readonly string[]): RawBuilder<boolean> {
  return values.length === 0 ? sql<boolean>`1 = 0` : sql<boolean>`${expression} in (${sql.join(values)})`;
}

function either(...conditions: RawBuilder<boolean>[]): RawBuilder<boolean> {
  return sql<boolean>`(${sql.join(conditions, sql` or `)})`;
}

function both(...conditions: RawBuilder<boolean>[]): RawBuilder<boolean> {
  return sql<boolean>`(${sql.join(conditions, sql` and `)})`;
}
