/* Where new bundles appear on worksheets (rest-api.md §13). */
import { allPermission } from '@sheaf/domain';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { UserViewer } from '../http/viewer.ts';
import { findWorksheets, worksheetPermissions } from '../worksheets/access.ts';
import { appendItems, insertItemsAfter, type NewItem } from '../worksheets/items.ts';

export type Placement =
  | { kind: 'append'; afterImage: boolean }
  | { kind: 'after'; sortKey: number; afterImage: boolean }
  /** Beside every occurrence of another bundle, on every worksheet the user may change. */
  | { kind: 'shadow'; bundleUuid: string };

export async function placeBundles(
  unit: UnitOfWork,
  viewer: UserViewer,
  worksheetUuid: string,
  uuids: readonly string[],
  placement: Placement,
  now: number,
): Promise<void> {
  if (placement.kind === 'shadow') {
    await placeBeside(unit, viewer, placement.bundleUuid, uuids, now);
    return;
  }
  // An empty line keeps a new bundle from being drawn into an image block.
  const gap: NewItem[] = placement.afterImage ? [{ type: 'markup', value: '' }] : [];
  const items = uuids.flatMap((uuid) => [...gap, bundleItem(uuid)]);
  if (placement.kind === 'append') await appendItems(unit, worksheetUuid, items, now);
  else await insertItemsAfter(unit, worksheetUuid, placement.sortKey, items, now);
}

async function placeBeside(
  unit: UnitOfWork,
  viewer: UserViewer,
  bundleUuid: string,
  uuids: readonly string[],
  now: number,
): Promise<void> {
  const occurrences = await unit.queries
    .selectFrom('worksheet_item')
    .select(['id', 'worksheet_uuid'])
    .where('bundle_uuid', '=', bundleUuid)
    .orderBy('id')
    .execute();
  const worksheets = await findWorksheets(
    unit.queries,
    occurrences.map((item) => item.worksheet_uuid),
  );
  const permissions = await worksheetPermissions(unit.queries, viewer, worksheets);
  const open = new Set(
    worksheets
      .filter(
        (worksheet) => worksheet.frozen_at === null && permissions.get(worksheet.uuid) === allPermission,
      )
      .map((worksheet) => worksheet.uuid),
  );
  for (const { id, worksheet_uuid } of occurrences) {
    if (!open.has(worksheet_uuid)) continue;
    // Read anew each time: inserting may have moved the items behind.
    const { sort_key } = await unit.queries
      .selectFrom('worksheet_item')
      .select('sort_key')
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    await insertItemsAfter(unit, worksheet_uuid, sort_key, uuids.map(bundleItem), now);
  }
}

function bundleItem(uuid: string): NewItem {
  return { type: 'bundle', value: '', bundleUuid: uuid };
}
