/* Reads a worksheet for interpretation: its items, what they stand for, and what its searches find (worksheets.md §7.1, §10.5). */
import { pythonText, readPermission, recordValue } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import { searchBundles } from '../../bundles/search/search.ts';
import type { Viewer } from '../../http/viewer.ts';
import type { Services } from '../../services.ts';
import { findWorksheets, worksheetPermissions, type WorksheetRow } from '../access.ts';
import { itemsOf, type ItemRow } from '../items.ts';
import { visibleOwner } from '../resource.ts';
import { searchWorksheets } from '../search.ts';
import { directiveLine } from '../text/lines.ts';
import { splitTokens } from '../text/tokens.ts';
import type { SubworksheetInfo } from './blocks.ts';
import { loadShownBundles } from './bundle-infos.ts';
import type { ShownBundle } from './display.ts';
import type { SourceItem } from './interpret.ts';

export interface WorksheetSource {
  /** The lines the worksheet is edited as. */
  lines: string[];
  items: SourceItem[];
}

export async function readSource(
  services: Services,
  viewer: Viewer,
  worksheetUuid: string,
): Promise<WorksheetSource> {
  const { queries } = services.database;
  const rows = await itemsOf(queries, worksheetUuid);
  const found = await Promise.all(rows.map((row) => runSearch(services, viewer, row)));
  const uuids = [
    ...rows.map((row) => row.bundle_uuid),
    ...found.flatMap((one) => (one?.kind === 'bundles' ? one.uuids : [])),
  ].filter((uuid) => uuid !== null);
  const bundles = await loadShownBundles(services, viewer, uuids);
  const worksheets = await loadWorksheets(services, viewer, rows, found);
  const show = { bundles, worksheets };
  return {
    lines: rows.map((row) => lineOf(row, show)),
    items: rows.flatMap((row, line) => sourceItems(row, line, found[line], show)),
  };
}

type Found =
  | { kind: 'bundles'; uuids: string[] }
  | { kind: 'worksheets'; rows: WorksheetRow[] }
  | { kind: 'value'; text: string }
  | { kind: 'problem'; problem: string };

/** Undefined for an item that is no search. */
async function runSearch(services: Services, viewer: Viewer, row: ItemRow): Promise<Found | undefined> {
  const tokens = row.type === 'directive' ? splitTokens(row.value) : undefined;
  if (tokens?.ok !== true) return undefined;
  const [word, ...keywords] = tokens.value;
  if (word !== 'search' && word !== 'wsearch') return undefined;
  try {
    if (word === 'wsearch')
      return { kind: 'worksheets', rows: await searchWorksheets(services, viewer, keywords) };
    const result = await searchBundles(services, viewer, keywords);
    return result.kind === 'bundles' ? result : { kind: 'value', text: pythonText(result.value ?? 0) };
  } catch (error) {
    if (error instanceof SheafError) return { kind: 'problem', problem: error.message };
    throw error;
  }
}

interface Show {
  bundles: (occurrence: { uuid: string; id: number | null; sortKey: number | null }) => ShownBundle;
  worksheets: (uuid: string, sortKey: number | null) => SubworksheetInfo;
}

async function loadWorksheets(
  { database: { queries } }: Services,
  viewer: Viewer,
  items: readonly ItemRow[],
  found: readonly (Found | undefined)[],
): Promise<Show['worksheets']> {
  const linked = items.map((item) => item.subworksheet_uuid).filter((uuid) => uuid !== null);
  const searched = found.flatMap((one) => (one?.kind === 'worksheets' ? one.rows : []));
  const rows = [...(await findWorksheets(queries, linked)), ...searched];
  const permissions = await worksheetPermissions(queries, viewer, rows);
  const byUuid = new Map(rows.map((row) => [row.uuid, row]));
  return (uuid, sortKey) => {
    const row = byUuid.get(uuid);
    if (row === undefined) return { uuid, name: '<invalid>', sort_key: sortKey };
    const permission = permissions.get(uuid) ?? 0;
    if (permission < readPermission) return { uuid, name: '<private>', sort_key: sortKey };
    return {
      uuid,
      name: row.name,
      title: row.title,
      owner_id: visibleOwner({ row, permission }),
      frozen: row.frozen_at === null ? null : naiveInstant(row.frozen_at),
      is_anonymous: row.is_anonymous !== 0,
      date_created: naiveInstant(row.created_at),
      date_last_modified: naiveInstant(row.changed_at),
      tags: JSON.parse(row.tags) as string[],
      last_item_id: null,
      items: null,
      sort_key: sortKey,
    };
  };
}

/** These endpoints write instants without a zone; they are UTC (worksheets.md §1.1). */
export function naiveInstant(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/(\.000)?Z$/, '');
}

function sourceItems(row: ItemRow, line: number, found: Found | undefined, show: Show): SourceItem[] {
  const place = { line, id: row.id, sortKey: row.sort_key };
  switch (row.type) {
    case 'markup':
      return [{ ...place, kind: 'markup', text: row.value }];
    case 'bundle':
      return [{ line, kind: 'bundle', bundle: show.bundles({ uuid: row.bundle_uuid ?? '', ...place }) }];
    case 'worksheet':
      return [{ line, kind: 'worksheet', info: show.worksheets(row.subworksheet_uuid ?? '', row.sort_key) }];
    case 'directive': {
      const tokens = splitTokens(row.value);
      if (!tokens.ok) return [{ line, kind: 'problem', problem: tokens.problem }];
      if (found === undefined) return [{ ...place, kind: 'directive', tokens: tokens.value }];
      return foundItems(found, line, show);
    }
  }
}

/** What a search found, in its place (worksheets.md §10.5). */
function foundItems(found: Found, line: number, show: Show): SourceItem[] {
  switch (found.kind) {
    case 'bundles':
      return found.uuids.map((uuid) => ({
        line,
        kind: 'bundle',
        bundle: show.bundles({ uuid, id: null, sortKey: null }),
      }));
    case 'worksheets':
      return found.rows.map((row) => ({ line, kind: 'worksheet', info: show.worksheets(row.uuid, null) }));
    case 'value':
      return [{ line, kind: 'markup', text: found.text, id: null, sortKey: null }];
    case 'problem':
      return [{ line, kind: 'problem', problem: found.problem }];
  }
}

function lineOf(row: ItemRow, show: Show): string {
  switch (row.type) {
    case 'markup':
      return row.value;
    case 'directive':
      return directiveLine(row.value);
    case 'worksheet': {
      const uuid = row.subworksheet_uuid ?? '';
      const { name } = show.worksheets(uuid, null);
      return `[worksheet ${name === '<invalid>' ? '' : name}]{{${uuid}}}`;
    }
    case 'bundle':
      return bundleLine(row.bundle_uuid ?? '', show);
  }
}

function bundleLine(uuid: string, show: Show): string {
  const { record } = show.bundles({ uuid, id: null, sortKey: null });
  if (record === undefined) return `[]{${uuid}}`;
  const dependencies = pythonText(recordValue({ kind: 'dependencies' }, record));
  const from = dependencies === '' ? '' : ` -- ${dependencies}`;
  const command = record.command === null ? '' : ` : ${record.command.replaceAll('\n', ' ')}`;
  return `[${record.type} ${pythonText(record.metadata['name'] ?? '')}${from}${command}]{${uuid}}`;
}
