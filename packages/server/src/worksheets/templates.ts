/* What the two special worksheets begin with (worksheets.md §1.4). */
import type { NewItem } from './items.ts';

export interface Template {
  title: string;
  items: NewItem[];
}

/** Undefined for a worksheet that begins empty. */
export function templateOf(name: string): Template | undefined {
  if (name === 'dashboard') return { title: 'CodaLab Dashboard', items: linesToItems(dashboard) };
  if (name === 'home') return { title: 'Public Home', items: linesToItems(home) };
  return undefined;
}

function linesToItems(lines: readonly string[]): NewItem[] {
  return lines.map((line) =>
    line.startsWith('% ') ? { type: 'directive', value: line.slice(2) } : { type: 'markup', value: line },
  );
}

const dashboard = [
  '# Your work at a glance',
  '',
  '## Worksheets',
  '',
  '% wsearch .mine',
  '',
  '## In progress',
  '',
  '% schema jobs',
  "% add uuid uuid '[0:8]'",
  '% add name',
  '% add owner',
  '% add created created date',
  '% add time time duration',
  '% add state',
  '% display table jobs',
  '% search state=running created=.sort- .limit=10000 .mine',
  '% display table jobs',
  '% search state=staged created=.sort- .limit=10000 .mine',
  '',
  '## Latest bundles',
  '',
  '% search id=.sort- .limit=5 .mine',
  '',
  '## On no worksheet',
  '',
  '% search .mine .floating',
  '',
  '## Totals',
  '',
  'Bundles:',
  '% search .mine .count',
  'Size:',
  '% search .mine size=.sum .format=size',
];

const home = [
  '# Welcome',
  '',
  '## In progress',
  '',
  '% display table run owner:owner_name',
  '% search state=created,staged,making,starting,running id=.sort- .limit=10000',
  '',
  '## Latest bundles',
  '',
  '% display table default owner:owner_name',
  '% search id=.sort- .limit=10',
  '',
  '## Worksheets',
  '',
  '% wsearch',
  '',
  '## Totals',
  '',
  'Bundles:',
  '% search .count',
  'Size:',
  '% search size=.sum .format=size',
];
