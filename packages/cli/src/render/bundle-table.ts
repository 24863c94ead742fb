/** Lists of bundles, as `ls` and `search` show them (cli.md §5.2). */
import type { Bundle } from '@sheaf/client';
import {
  formatDate,
  formatSize,
  parseGenpath,
  pythonText,
  recordValue,
  type BundleRecord,
} from '@sheaf/domain';
import { recordOf } from './bundle-record.ts';
import { renderTable } from './table.ts';

export const standardColumns = 'uuid,name,summary,owner,created,data_size,state';

/** Characters of a summary that a table has room for. */
const summaryWidth = 60;

/** @param numbered puts a column `ref` in front: `^N` for the N-th bundle from the end. */
export function bundleTable(
  bundles: readonly Bundle[],
  fields: string,
  options: { numbered: boolean },
): string[] {
  const columns = columnsOf(fields);
  const rows = bundles.map((bundle, at) => {
    const record = recordOf(bundle);
    const cells = columns.map((column) => cellText(column, record));
    return options.numbered ? [`^${bundles.length - at}`, ...cells] : cells;
  });
  const all = options.numbered ? ['ref', ...columns] : columns;
  return renderTable(all, rows, { right: ['ref', 'data_size'] });
}

export function columnsOf(fields: string): string[] {
  return fields.split(',').map((field) => field.trim());
}

function cellText(column: string, record: BundleRecord): string {
  if (column === 'uuid') return record.uuid.slice(0, 8);
  const genpath = parseGenpath(column);
  const value = genpath.kind === 'file' ? null : recordValue(genpath, record);
  if (value === null) return '';
  if (column === 'created' && typeof value === 'number') return localDate(value);
  if (column === 'data_size' && typeof value === 'number') return formatSize(value, { withBytes: true });
  const text = pythonText(value).replaceAll('\n', ' ');
  return column === 'summary' && text.length > summaryWidth ? `${text.slice(0, summaryWidth)}...` : text;
}

/** In the zone of this machine. @param seconds since the epoch. */
export function localDate(seconds: number): string {
  return formatDate(seconds, -new Date(seconds * 1000).getTimezoneOffset());
}
