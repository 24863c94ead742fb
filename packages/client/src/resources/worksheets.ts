/** Worksheets over REST (rest-api.md §9.3; worksheets.md). */
import type { Document, Resource, UserAttributes, WorksheetAttributes } from '@sheaf/wire';
import { flattenAll, flattenOne, type Flat } from '../documents.ts';
import type { RestClient } from '../rest-client.ts';
import type { Bundle, GroupPermission } from './bundles.ts';

export interface WorksheetItem {
  readonly id: string;
  /** `bundle`, `worksheet`, `directive` or `markup`. */
  readonly type: string;
  readonly value: string | null;
  readonly sort_key?: number | null;
  readonly bundle: Bundle | null;
  readonly subworksheet: Flat<Pick<WorksheetAttributes, 'uuid' | 'name'>> | null;
}

export type Worksheet = Flat<WorksheetAttributes> & {
  readonly owner?: Flat<UserAttributes> | null;
  readonly group_permissions?: readonly GroupPermission[];
  readonly items?: readonly WorksheetItem[];
};

export interface WorksheetAnswer {
  readonly worksheet: Worksheet;
  /** What the server says about itself, such as `version`. */
  readonly meta: Readonly<Record<string, unknown>>;
}

/** @throws SheafError `not-found` */
export async function fetchWorksheet(
  client: RestClient,
  uuid: string,
  include: readonly string[] = [],
): Promise<WorksheetAnswer> {
  const query = include.length === 0 ? {} : { include: include.join(',') };
  const document = await client.json<Document<Resource<WorksheetAttributes>>>('GET', `/worksheets/${uuid}`, {
    query,
  });
  return { worksheet: flattenOne(document) as Worksheet, meta: document.meta ?? {} };
}

/**
 * Resolves one worksheet spec (rest-api.md §9.3).
 * @param base uuid of the worksheet whose links are looked at first; empty for none.
 * @throws SheafError where it names none, or several.
 */
export async function resolveWorksheet(
  client: RestClient,
  spec: string,
  base: string,
): Promise<WorksheetAnswer> {
  const document = await client.json<Document<Resource<WorksheetAttributes>[]>>('GET', '/worksheets', {
    query: { base, specs: [spec] },
  });
  const [found] = flattenAll(document);
  if (found === undefined) throw new Error(`The server found no worksheet for "${spec}" and gave no reason.`);
  return { worksheet: found as Worksheet, meta: document.meta ?? {} };
}

export async function createWorksheet(client: RestClient, name: string): Promise<Worksheet> {
  const json = { data: [{ type: 'worksheets', attributes: { name } }] };
  const document = await client.json<Document<Resource<WorksheetAttributes>[]>>('POST', '/worksheets', {
    json,
  });
  const [created] = flattenAll(document);
  if (created === undefined) throw new Error('The server did not answer with the new worksheet.');
  return created as Worksheet;
}

/** Appends bundles to a worksheet, in order. */
export async function appendBundles(
  client: RestClient,
  worksheet: string,
  uuids: readonly string[],
): Promise<void> {
  const data = uuids.map((uuid) => ({
    type: 'worksheet-items',
    attributes: { type: 'bundle' },
    relationships: {
      worksheet: { data: { type: 'worksheets', id: worksheet } },
      bundle: { data: { type: 'bundles', id: uuid } },
    },
  }));
  await client.json('POST', '/worksheet-items', { query: { uuid: worksheet }, json: { data } });
}

/** One block of an interpreted worksheet; which fields there are depends on `mode` (cli.md §9.5). */
export interface WorksheetBlock {
  readonly mode: string;
  readonly text?: string;
  readonly header?: readonly string[];
  readonly rows?: readonly Record<string, unknown>[];
  readonly bundles_spec?: { readonly bundle_infos?: readonly { readonly uuid: string }[] };
  readonly target_genpath?: string;
  readonly max_lines?: number;
  readonly subworksheet_infos?: readonly { readonly uuid: string; readonly name: string }[];
  readonly directive?: string;
}

export async function interpretWorksheet(client: RestClient, uuid: string): Promise<WorksheetBlock[]> {
  const answer = await client.json<{ blocks: WorksheetBlock[] }>('GET', `/interpret/worksheet/${uuid}`);
  return answer.blocks;
}

/** Fills in the cells of a table that stand for contents of bundles. */
export async function interpretTable(
  client: RestClient,
  rows: readonly Record<string, unknown>[],
): Promise<Record<string, unknown>[]> {
  const answer = await client.json<{ contents: Record<string, unknown>[] }>(
    'POST',
    '/interpret/genpath-table-contents',
    { json: { contents: rows } },
  );
  return answer.contents;
}
