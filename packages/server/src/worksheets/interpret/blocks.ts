/* What an interpreted worksheet consists of, as it crosses the wire (worksheets.md §8). */
import type { GenpathValue } from '@sheaf/domain';

/** A cell whose value is in a file: bundle, genpath, post-processor. Filled in later. */
export type FileCell = [uuid: string, genpath: string, post: string | null];
export type Cell = GenpathValue | FileCell;

export interface BundleInfo {
  uuid: string;
  /** The item's; null for what a search found. */
  id: number | null;
  sort_key: number | null;
  [attribute: string]: unknown;
}

export interface BundlesSpec {
  bundle_infos: BundleInfo[];
  fetch_status: Status;
}

export interface Status {
  code: 'ready' | 'not_found' | 'no_permission';
  error_message: string;
}

interface TableBlock {
  mode: 'table_block' | 'record_block';
  is_refined: true;
  bundles_spec: BundlesSpec;
  header: string[];
  rows: Record<string, Cell>[];
  status: Status;
  sort_keys: (number | null)[];
  first_bundle_source_index: number;
  using_schemas: string[];
}

/** Blocks that show a file of a bundle; what is in it is added when they are resolved. */
interface FileBlock {
  mode: 'contents_block' | 'image_block';
  is_refined: true;
  bundles_spec: BundlesSpec;
  target_genpath: string;
  status: Status;
  max_lines?: number;
  lines?: string[] | null;
  image_data?: string | null;
  width?: number;
  height?: number;
}

export interface Trajectory {
  bundle_uuid: string;
  display_name: string;
  target_genpath: string;
  points?: string[][];
}

interface GraphBlock {
  mode: 'graph_block';
  is_refined: true;
  bundles_spec: BundlesSpec;
  trajectories: Trajectory[];
  max_lines: number;
  xlabel?: string;
  ylabel?: string;
}

interface MarkupBlock {
  mode: 'markup_block';
  is_refined: true;
  text: string;
  ids?: (number | null)[];
  sort_keys?: (number | null)[];
  error?: true;
}

interface SchemaBlock {
  mode: 'schema_block';
  is_refined: true;
  schema_name: string;
  header: string[];
  field_rows: Record<string, string | null>[];
  ids: (number | null)[];
  sort_keys: (number | null)[];
}

interface SubworksheetsBlock {
  mode: 'subworksheets_block';
  is_refined: true;
  subworksheet_infos: SubworksheetInfo[];
  sort_keys: (number | null)[];
}

export interface SubworksheetInfo {
  uuid: string;
  name: string;
  sort_key: number | null;
  [attribute: string]: unknown;
}

export type Block = TableBlock | FileBlock | GraphBlock | MarkupBlock | SchemaBlock | SubworksheetsBlock;

export const ready: Status = { code: 'ready', error_message: '' };

export function bundlesSpec(infos: BundleInfo[]): BundlesSpec {
  return { bundle_infos: infos, fetch_status: ready };
}

export function errorBlock(text: string): Block {
  return { mode: 'markup_block', is_refined: true, text, error: true };
}

/** Only what was made as one counts: a list of three words is a list of three words. */
export function isFileCell(cell: unknown): cell is FileCell {
  if (!Array.isArray(cell) || cell.length !== 3) return false;
  const [uuid, genpath, post] = cell as unknown[];
  const isUuid = typeof uuid === 'string' && /^0x[0-9a-f]{32}$/.test(uuid);
  return (
    isUuid &&
    typeof genpath === 'string' &&
    genpath.startsWith('/') &&
    (post === null || typeof post === 'string')
  );
}
