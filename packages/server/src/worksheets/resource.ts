/* Worksheets and their parts as clients see them (worksheets.md §9.1). */
import { allPermission, formatPermission, readPermission, type Permission } from '@sheaf/domain';
import type { Resource } from '@sheaf/wire';
import { isoInstant } from '../http/instant.ts';
import type { WorksheetRow } from './access.ts';
import type { ItemRow } from './items.ts';

export type WorksheetResource = Resource<Record<string, unknown>>;

/** What a worksheet looks like to one viewer. */
export interface WorksheetView {
  row: WorksheetRow;
  permission: Permission;
}

/** The owner of an anonymous worksheet is shown only to those who have everything on it (worksheets.md §2.3). */
export function visibleOwner({ row, permission }: WorksheetView): string | null {
  return row.is_anonymous !== 0 && permission < allPermission ? null : row.owner_id;
}

export function isMasked({ row, permission }: WorksheetView): boolean {
  return row.is_anonymous !== 0 && permission < allPermission;
}

/** `lastItemId` is null where the items were not fetched. */
export function worksheetResource(view: WorksheetView, lastItemId: number | null): WorksheetResource {
  const { row, permission } = view;
  // Who may not read it learns what resolving its name tells anyway, and no more.
  if (permission < readPermission) {
    return { type: 'worksheets', id: row.uuid, attributes: { uuid: row.uuid, name: row.name } };
  }
  const owner = visibleOwner(view);
  return {
    type: 'worksheets',
    id: row.uuid,
    attributes: {
      uuid: row.uuid,
      name: row.name,
      title: row.title,
      frozen: row.frozen_at === null ? null : isoInstant(row.frozen_at),
      is_anonymous: row.is_anonymous !== 0,
      date_created: isoInstant(row.created_at),
      date_last_modified: isoInstant(row.changed_at),
      tags: JSON.parse(row.tags) as string[],
      last_item_id: lastItemId,
      permission,
      permission_spec: formatPermission(permission),
    },
    relationships: { owner: { data: owner === null ? null : { type: 'users', id: owner } } },
  };
}

export function itemResource(item: ItemRow): WorksheetResource {
  const link = (type: string, id: string | null) => ({ data: id === null ? null : { type, id } });
  return {
    type: 'worksheet-items',
    id: String(item.id),
    attributes: { type: item.type, value: item.value, sort_key: item.sort_key },
    relationships: {
      worksheet: link('worksheets', item.worksheet_uuid),
      bundle: link('bundles', item.bundle_uuid),
      subworksheet: link('worksheets', item.subworksheet_uuid),
    },
  };
}
