/* Saving a worksheet as text: all lines or none (worksheets.md §9.7). */
import { SheafError } from '@sheaf/wire';
import { resolveBundleSpec } from '../../bundles/specs.ts';
import type { AnyQueries } from '../../accounts/users.ts';
import type { Viewer } from '../../http/viewer.ts';
import type { NewItem } from '../items.ts';
import { readWorksheetSpec, resolveWorksheetSpec } from '../specs.ts';
import { readLine, type ReadLine } from './lines.ts';

/**
 * The items a text stands for; bundles and worksheets are looked up relative to the worksheet.
 * @throws SheafError where a bundle cannot be found, or a directive cannot be read
 */
export async function itemsOfText(
  queries: AnyQueries,
  viewer: Viewer,
  worksheetUuid: string,
  text: string,
): Promise<NewItem[]> {
  const items: NewItem[] = [];
  for (const [index, line] of text.replaceAll('\r\n', '\n').split('\n').entries()) {
    items.push(
      await itemOf(queries, viewer, worksheetUuid, { line, number: index + 1, read: readLine(line) }),
    );
  }
  return items;
}

async function itemOf(
  queries: AnyQueries,
  viewer: Viewer,
  worksheetUuid: string,
  { line, number, read }: { line: string; number: number; read: ReadLine },
): Promise<NewItem> {
  switch (read.kind) {
    case 'markup':
      return { type: 'markup', value: read.text };
    case 'directive':
      return { type: 'directive', value: read.text };
    case 'bundle': {
      const bundleUuid = await resolveBundleSpec(queries, viewer, read.spec, worksheetUuid);
      return { type: 'bundle', value: '', bundleUuid };
    }
    case 'worksheet':
      return await worksheetItem(queries, viewer, worksheetUuid, line, read.spec);
    case 'problem':
      throw new SheafError('invalid-request', `Line ${number}: ${read.problem}`);
  }
}

/** A worksheet that is not found does not keep the text from being saved: the line says so. */
async function worksheetItem(
  queries: AnyQueries,
  viewer: Viewer,
  worksheetUuid: string,
  line: string,
  spec: string,
): Promise<NewItem> {
  try {
    const wanted = readWorksheetSpec(spec);
    const subworksheetUuid = await resolveWorksheetSpec(queries, viewer, wanted, worksheetUuid);
    return { type: 'worksheet', value: '', subworksheetUuid };
  } catch (error) {
    if (error instanceof SheafError) return { type: 'markup', value: `${error.message}: ${line}` };
    throw error;
  }
}
