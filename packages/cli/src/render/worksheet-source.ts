/** A worksheet as text, the way it is edited (cli.md §12). */
import type { Bundle, WorksheetItem } from '@sheaf/client';
import { joinShellWords, pythonText, recordValue } from '@sheaf/domain';
import { recordOf } from './bundle-record.ts';

/** One text an item; a text item may hold several lines. */
export function sourceLines(items: readonly WorksheetItem[]): string[] {
  return items.map(sourceLine);
}

function sourceLine(item: WorksheetItem): string {
  switch (item.type) {
    case 'bundle':
      return bundleLine(item.bundle);
    case 'worksheet':
      return `[worksheet ${item.subworksheet?.name ?? ''}]{{${item.subworksheet?.uuid ?? item.subworksheet?.id ?? ''}}}`;
    case 'directive':
      return directiveLine(item.value ?? '');
    default:
      return item.value ?? '';
  }
}

function bundleLine(bundle: Bundle | null): string {
  if (bundle === null) return '[]{}';
  // A bundle that is gone has nothing but its uuid.
  if (bundle.bundle_type === undefined) return `[]{${bundle.id}}`;
  const dependencies =
    bundle.dependencies.length === 0
      ? ''
      : ` -- ${pythonText(recordValue({ kind: 'dependencies' }, recordOf(bundle)))}`;
  const command = bundle.command === null ? '' : ` : ${bundle.command.replaceAll('\n', ' ')}`;
  return `[${bundle.bundle_type} ${String(bundle.metadata['name'])}${dependencies}${command}]{${bundle.uuid}}`;
}

function directiveLine(value: string): string {
  const [first, ...rest] = shellWords(value);
  if (first === undefined) return '%';
  return first === '%' ? `//${rest.join(' ')}` : `% ${joinShellWords([first, ...rest])}`;
}

/** Splits as a shell does: blanks separate, quotes and backslashes keep together. */
function shellWords(text: string): string[] {
  const words = text.matchAll(/(?:[^\s'"\\]|\\[^]|'[^']*'|"(?:[^"\\]|\\[^])*")+/g);
  return Array.from(words, ([word]) =>
    word.replaceAll(
      /'([^']*)'|"((?:[^"\\]|\\[^])*)"|\\([^])/g,
      (_, single?: string, double?: string, plain?: string) =>
        single ?? double?.replaceAll(/\\(["\\$`])/g, '$1') ?? plain ?? '',
    ),
  );
}
