/** Tables of text (cli.md §5.2). */

export interface TableOptions {
  /** Columns whose cells stand at the right. */
  readonly right?: readonly string[];
  readonly indent?: number;
  /** Without a header the line of dashes stays, as scripts expect. */
  readonly header?: boolean;
}

/** @returns lines without newlines; trailing blanks of padded cells are kept. */
export function renderTable(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): string[] {
  const header = options.header ?? true;
  const widths = columns.map((column, at) =>
    Math.max(header ? lengthOf(column) : 0, ...rows.map((row) => lengthOf(row[at] ?? ''))),
  );
  const right = columns.map((column) => options.right?.includes(column) ?? false);
  const line = (cells: readonly string[]) =>
    cells.map((cell, at) => pad(cell, widths[at] ?? 0, right[at] ?? false)).join('  ');
  const dashes = '-'.repeat(widths.reduce((sum, width) => sum + width, 0) + 2 * (columns.length - 1));
  const indent = ' '.repeat(options.indent ?? 0);
  return [...(header ? [line(columns)] : []), dashes, ...rows.map(line)].map((text) => indent + text);
}

function pad(cell: string, width: number, right: boolean): string {
  const blanks = ' '.repeat(Math.max(0, width - lengthOf(cell)));
  return right ? blanks + cell : cell + blanks;
}

/** In code points. */
function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length += 1;
  return length;
}
