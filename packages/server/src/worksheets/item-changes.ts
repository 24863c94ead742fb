/* Adding, removing and replacing items (worksheets.md §9.8, §9.9). */
import { linkage, SheafError } from '@sheaf/wire';
import { z } from 'zod';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { UserViewer } from '../http/viewer.ts';
import { refuseFrozenWorksheet, requireWorksheet } from './access.ts';
import {
  appendItems,
  insertItemsAfter,
  replaceItems,
  touchWorksheet,
  type ItemRow,
  type NewItem,
} from './items.ts';

const itemTypes = ['markup', 'directive', 'bundle', 'worksheet'] as const;
const link = z.object({ data: linkage.nullable() }).nullish();

export const itemsRequest = z.object({
  data: z.array(
    z.object({
      attributes: z.object({ type: z.enum(itemTypes), value: z.string().optional() }),
      relationships: z.object({ bundle: link, subworksheet: link }).default({}),
    }),
  ),
});

export const addItemsRequest = z.object({
  ids: z.array(z.number().nullable()).default([]),
  items: z.array(z.string()).default([]),
  item_type: z.enum(itemTypes).default('markup'),
  after_sort_key: z
    .union([
      z.int(),
      z
        .string()
        .regex(/^-?\d+$/)
        .transform(Number),
    ])
    .nullish(),
});

/** @throws SheafError `not-found`, `permission-denied`, `frozen` */
async function requireOpenWorksheet(unit: UnitOfWork, viewer: UserViewer, uuid: string): Promise<void> {
  refuseFrozenWorksheet(await requireWorksheet(unit.queries, viewer, uuid, 'all'));
}

export async function addResourceItems(
  unit: UnitOfWork,
  viewer: UserViewer,
  given: {
    worksheetUuid: string;
    items: z.output<typeof itemsRequest>['data'];
    replace: boolean;
    now: number;
  },
): Promise<ItemRow[]> {
  await requireOpenWorksheet(unit, viewer, given.worksheetUuid);
  const items = given.items.map(({ attributes, relationships }): NewItem => {
    const { type, value } = attributes;
    const bundleUuid = relationships.bundle?.data?.id ?? null;
    const subworksheetUuid = relationships.subworksheet?.data?.id ?? null;
    if (type === 'bundle' && bundleUuid === null)
      throw new SheafError('invalid-request', 'A bundle item names no bundle.');
    if (type === 'worksheet' && subworksheetUuid === null) {
      throw new SheafError('invalid-request', 'A worksheet item names no worksheet.');
    }
    return {
      type,
      value: type === 'bundle' || type === 'worksheet' ? '' : (value ?? ''),
      bundleUuid: type === 'bundle' ? bundleUuid : null,
      subworksheetUuid: type === 'worksheet' ? subworksheetUuid : null,
    };
  });
  return given.replace
    ? await replaceItems(unit, given.worksheetUuid, items, given.now)
    : await appendItems(unit, given.worksheetUuid, items, given.now);
}

/** Removes the named items of this worksheet, then inserts lines. */
export async function changeItems(
  unit: UnitOfWork,
  viewer: UserViewer,
  worksheetUuid: string,
  request: z.output<typeof addItemsRequest>,
  now: number,
): Promise<void> {
  await requireOpenWorksheet(unit, viewer, worksheetUuid);
  await touchWorksheet(unit, worksheetUuid, now);
  const ids = request.ids.filter((id) => id !== null);
  if (ids.length > 0) {
    await unit.queries
      .deleteFrom('worksheet_item')
      .where('worksheet_uuid', '=', worksheetUuid)
      .where('id', 'in', ids)
      .execute();
  }
  const items = request.items.map((text) => itemOfLine(request.item_type, text));
  const after = request.after_sort_key;
  if (after === null || after === undefined) await appendItems(unit, worksheetUuid, items, now);
  else await insertItemsAfter(unit, worksheetUuid, after, items, now);
}

function itemOfLine(type: (typeof itemTypes)[number], text: string): NewItem {
  if (type === 'bundle') return { type, value: '', bundleUuid: text };
  if (type === 'worksheet') return { type, value: '', subworksheetUuid: text };
  return { type, value: text };
}
