/* The text form of worksheets: a line is an item (worksheets.md §4.1, §4.2). */
import { joinTokens, splitTokens } from './tokens.ts';

/** What a line says, before names are looked up. */
export type ReadLine =
  | { kind: 'markup'; text: string }
  /** Canonical text without the leading `%`. */
  | { kind: 'directive'; text: string }
  | { kind: 'bundle'; spec: string }
  | { kind: 'worksheet'; spec: string }
  | { kind: 'problem'; problem: string };

const bundleForm = /^\s*(?:\[.*\])?\s*\{([^{]*)\}\s*$/;
const worksheetForm = /^\s*(?:\[.*\])?\s*\{\{(.*)\}\}\s*$/;
const directiveForm = /^\s*%\s*(.*)\s*$/;

export function readLine(line: string): ReadLine {
  // A comment is stored as the directive `%`, whose one word is the rest of the line.
  if (line.startsWith('//')) return { kind: 'directive', text: joinTokens(['%', line.slice(2)]) };
  const bundle = bundleForm.exec(line);
  if (bundle !== null) return { kind: 'bundle', spec: bundle[1] ?? '' };
  const worksheet = worksheetForm.exec(line);
  if (worksheet !== null) return { kind: 'worksheet', spec: worksheet[1] ?? '' };
  const directive = directiveForm.exec(line);
  if (directive === null) return { kind: 'markup', text: line };
  const tokens = splitTokens(directive[1] ?? '');
  return tokens.ok
    ? { kind: 'directive', text: joinTokens(tokens.value) }
    : { kind: 'problem', problem: tokens.problem };
}

/** The line of a stored directive. */
export function directiveLine(value: string): string {
  const tokens = splitTokens(value);
  if (!tokens.ok || tokens.value.length === 0) return value === '' ? '%' : `% ${value}`;
  const [first, ...rest] = tokens.value;
  if (first === '%') return `//${rest.join(' ')}`;
  return value.startsWith('%') ? `%${value}` : `% ${value}`;
}
