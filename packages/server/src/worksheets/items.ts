/*
 * The places of items on a worksheet. Keys are positive, unique on their worksheet and allocated with gaps, so that inserting
 * rarely moves anything and `-1` and `0` both mean the top (worksheets.md §3.4).
 */
import { sql, type Selectable } from 'kysely';
import type { AnyQueries } from '../accounts/users.ts';
import type { WorksheetItemTable } from '../database/schema.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';

export type ItemRow = Selectable<WorksheetItemTable>;

export interface NewItem {
  type: ItemRow['type'];
  value: string;
  bundleUuid?: string | null;
  subworksheetUuid?: string | null;
}

const gap = 1024;

/** Items in display order. */
export async function itemsOf(queries: AnyQueries, worksheetUuid: string): Promise<ItemRow[]> {
  return await queries
    .selectFrom('worksheet_item')
    .selectAll()
    .where('worksheet_uuid', '=', worksheetUuid)
    .orderBy('sort_key')
    .orderBy('id')
    .execute();
}

/** Adds items at the end, in order. */
export async function appendItems(
  unit: UnitOfWork,
  worksheetUuid: string,
  items: readonly NewItem[],
  now: number,
): Promise<ItemRow[]> {
  await touchWorksheet(unit, worksheetUuid, now);
  const last = await lastKey(unit, worksheetUuid);
  return await insert(
    unit,
    worksheetUuid,
    items.map((item, index) => ({ item, key: last + gap * (index + 1) })),
  );
}

/** Adds items, in order, directly behind the last one whose key is not greater than `after`. */
export async function insertItemsAfter(
  unit: UnitOfWork,
  worksheetUuid: string,
  after: number,
  items: readonly NewItem[],
  now: number,
): Promise<ItemRow[]> {
  if (items.length === 0) return [];
  await touchWorksheet(unit, worksheetUuid, now);
  const before = await lastKey(unit, worksheetUuid, after);
  const next = await nextKey(unit, worksheetUuid, before);
  if (next === undefined) return await appendItems(unit, worksheetUuid, items, now);
  const room = next - before > items.length ? next - before : gap * (items.length + 1);
  if (room !== next - before) {
    await unit.queries
      .updateTable('worksheet_item')
      .set({ sort_key: sql<number>`sort_key + ${room}` })
      .where('worksheet_uuid', '=', worksheetUuid)
      .where('sort_key', '>', before)
      .execute();
  }
  const step = Math.floor(room / (items.length + 1));
  return await insert(
    unit,
    worksheetUuid,
    items.map((item, index) => ({ item, key: before + step * (index + 1) })),
  );
}

/**
 * Puts other items in place of all there are. What stays the same at the beginning and at the end stays in place, with its id:
 * an edit of one line does not make pages forget the others.
 */
export async function replaceItems(
  unit: UnitOfWork,
  worksheetUuid: string,
  items: readonly NewItem[],
  now: number,
): Promise<ItemRow[]> {
  await touchWorksheet(unit, worksheetUuid, now);
  const before = await itemsOf(unit.queries, worksheetUuid);
  const most = Math.min(before.length, items.length);
  let same = 0;
  while (same < most && isSame(before[same], items[same])) same += 1;
  let tail = 0;
  while (tail < most - same && isSame(before.at(-1 - tail), items.at(-1 - tail))) tail += 1;
  const gone = before.slice(same, before.length - tail).map((row) => row.id);
  for (let start = 0; start < gone.length; start += 1000) {
    const chunk = gone.slice(start, start + 1000);
    await unit.queries.deleteFrom('worksheet_item').where('id', 'in', chunk).execute();
  }
  const after = same === 0 ? 0 : (before[same - 1]?.sort_key ?? 0);
  await insertItemsAfter(unit, worksheetUuid, after, items.slice(same, items.length - tail), now);
  return await itemsOf(unit.queries, worksheetUuid);
}

function isSame(row: ItemRow | undefined, item: NewItem | undefined): boolean {
  return (
    row !== undefined &&
    item !== undefined &&
    row.type === item.type &&
    row.value === item.value &&
    row.bundle_uuid === (item.bundleUuid ?? null) &&
    row.subworksheet_uuid === (item.subworksheetUuid ?? null)
  );
}

/** Notes the change; on an engine with several writers it also makes them take turns on this worksheet. */
export async function touchWorksheet(unit: UnitOfWork, worksheetUuid: string, now: number): Promise<void> {
  await unit.queries
    .updateTable('worksheet')
    .set({ changed_at: now })
    .where('uuid', '=', worksheetUuid)
    .execute();
}

/** The greatest key, of those up to `most` where that is given; 0 where there is none. */
async function lastKey(unit: UnitOfWork, worksheetUuid: string, most?: number): Promise<number> {
  let query = unit.queries
    .selectFrom('worksheet_item')
    .select((eb) => eb.fn.max('sort_key').as('key'))
    .where('worksheet_uuid', '=', worksheetUuid);
  if (most !== undefined) query = query.where('sort_key', '<=', most);
  const { key } = await query.executeTakeFirstOrThrow();
  return key === null ? 0 : Number(key);
}

async function nextKey(unit: UnitOfWork, worksheetUuid: string, after: number): Promise<number | undefined> {
  const { key } = await unit.queries
    .selectFrom('worksheet_item')
    .select((eb) => eb.fn.min('sort_key').as('key'))
    .where('worksheet_uuid', '=', worksheetUuid)
    .where('sort_key', '>', after)
    .executeTakeFirstOrThrow();
  return key === null ? undefined : Number(key);
}

async function insert(
  unit: UnitOfWork,
  worksheetUuid: string,
  placed: readonly { item: NewItem; key: number }[],
): Promise<ItemRow[]> {
  const rows: ItemRow[] = [];
  // In pieces: seven values an item, and engines bound the parameters of a statement.
  for (let start = 0; start < placed.length; start += 1000) {
    const inserted = await unit.queries
      .insertInto('worksheet_item')
      .values(
        placed.slice(start, start + 1000).map(({ item, key }) => ({
          worksheet_uuid: worksheetUuid,
          sort_key: key,
          type: item.type,
          value: item.value,
          bundle_uuid: item.bundleUuid ?? null,
          subworksheet_uuid: item.subworksheetUuid ?? null,
        })),
      )
      .returningAll()
      .execute();
    rows.push(...inserted);
  }
  return rows.toSorted((one, other) => one.sort_key - other.sort_key);
}
