/* How a run of bundles is shown: what `% display` says, applied (worksheets.md §5.3). */
import {
  parseGenpath,
  postProcess,
  pythonText,
  recordValue,
  type BundleRecord,
  type GenpathValue,
} from '@sheaf/domain';
import { bundlesSpec, ready, type Block, type BundleInfo, type Cell, type Trajectory } from './blocks.ts';
import { columnsOf, type Column, type Schemas } from './schemas.ts';

export interface ShownBundle {
  info: BundleInfo;
  /** What genpaths are evaluated on; undefined for a bundle that does not exist. */
  record: BundleRecord | undefined;
}

export interface Display {
  mode: string;
  words: readonly string[];
  /** Index of the line that says so; undefined for the standard one. */
  line: number | undefined;
}

export const standardDisplay: Display = { mode: 'table', words: [], line: undefined };

/** A directive that cannot be followed; the message is shown in its place. */
export class DirectiveProblem extends Error {
  override readonly name = 'DirectiveProblem';
}

const standardLines = 10;
const standardPoints = 100;

/** @throws DirectiveProblem */
export function displayBundles(
  display: Display,
  bundles: readonly ShownBundle[],
  schemas: Schemas,
  firstLine: number,
): Block[] {
  switch (display.mode) {
    case 'hidden':
      return [];
    case 'table':
      return [tableBlock(display, bundles, schemas, firstLine)];
    case 'record':
      return bundles.map((bundle) => recordBlock(display, bundle, schemas, firstLine));
    case 'contents': {
      const { genpath, options } = fileArguments(display);
      const lines = lineLimit(options, standardLines);
      return bundles.map((bundle) => ({ ...fileBlock('contents_block', bundle, genpath), max_lines: lines }));
    }
    case 'image': {
      const { genpath, options } = fileArguments(display);
      return bundles.map((bundle) => ({
        ...fileBlock('image_block', bundle, genpath),
        ...pixels('width', options),
        ...pixels('height', options),
      }));
    }
    case 'graph':
      return [graphBlock(display, bundles)];
    default:
      throw new DirectiveProblem(`Unknown display mode: ${display.mode}`);
  }
}

function tableBlock(
  display: Display,
  bundles: readonly ShownBundle[],
  schemas: Schemas,
  firstLine: number,
): Block {
  const columns = columnsOf(display.words, schemas);
  return {
    mode: 'table_block',
    is_refined: true,
    bundles_spec: bundlesSpec(bundles.map((bundle) => bundle.info)),
    header: columns.map((column) => column.name),
    rows: bundles.map((bundle) =>
      Object.fromEntries(columns.map((column) => [column.name, cellOf(bundle, column)])),
    ),
    status: ready,
    sort_keys: bundles.map((bundle) => bundle.info.sort_key),
    first_bundle_source_index: firstLine,
    using_schemas: display.words.length === 0 ? ['default'] : [...display.words],
  };
}

function recordBlock(display: Display, bundle: ShownBundle, schemas: Schemas, firstLine: number): Block {
  return {
    mode: 'record_block',
    is_refined: true,
    bundles_spec: bundlesSpec([bundle.info]),
    header: ['key', 'value'],
    rows: columnsOf(display.words, schemas).map((column) => {
      const value = cellOf(bundle, column);
      return { key: `${column.name}:`, ...(value === null ? {} : { value }) };
    }),
    status: ready,
    sort_keys: [bundle.info.sort_key],
    first_bundle_source_index: firstLine,
    using_schemas: display.words.length === 0 ? ['default'] : [...display.words],
  };
}

function cellOf({ info, record }: ShownBundle, { genpath, post }: Column): Cell {
  const parsed = parseGenpath(genpath);
  if (parsed.kind === 'file') return record === undefined ? null : [info.uuid, genpath, post];
  if (record === undefined) {
    const known: Record<string, string> = { uuid: info.uuid, name: '<invalid>' };
    return postProcess(Object.hasOwn(known, genpath) ? (known[genpath] ?? null) : null, post);
  }
  return postProcess(flat(recordValue(parsed, record)), post);
}

/** A list of words is shown as text: an array in a cell means something else (worksheets.md §7.5). */
function flat(value: GenpathValue): GenpathValue {
  return Array.isArray(value) ? value.map(pythonText).join(' ') : value;
}

function fileBlock(mode: 'contents_block' | 'image_block', bundle: ShownBundle, genpath: string) {
  return {
    mode,
    is_refined: true as const,
    bundles_spec: bundlesSpec([bundle.info]),
    target_genpath: genpath.slice(1),
    status: ready,
  };
}

function graphBlock(display: Display, bundles: readonly ShownBundle[]): Block {
  const { genpath, options } = fileArguments(display);
  const named = options.get('display_name') ?? 'name';
  const [first] = bundles;
  const label = (key: 'xlabel' | 'ylabel') => (options.has(key) ? { [key]: options.get(key) ?? '' } : {});
  return {
    mode: 'graph_block',
    is_refined: true,
    bundles_spec: bundlesSpec(first === undefined ? [] : [first.info]),
    trajectories: bundles.map((bundle): Trajectory => ({
      bundle_uuid: bundle.info.uuid,
      display_name: nameOf(bundle, named),
      target_genpath: genpath.slice(1),
    })),
    max_lines: lineLimit(options, standardPoints),
    ...label('xlabel'),
    ...label('ylabel'),
  };
}

function nameOf(bundle: ShownBundle, genpath: string): string {
  const value = cellOf(bundle, { name: genpath, genpath, post: null, schema: null });
  return value === null || Array.isArray(value) ? bundle.info.uuid.slice(0, 8) : pythonText(value);
}

/** @throws DirectiveProblem where the file is not named, or an option has no value */
function fileArguments({ mode, words }: Display): { genpath: string; options: ReadonlyMap<string, string> } {
  const [genpath, ...rest] = words;
  if (genpath === undefined) {
    throw new DirectiveProblem(`Expected '% display ${mode} (genpath)', but got '% display ${mode}'`);
  }
  if (!genpath.startsWith('/')) throw new DirectiveProblem(`Not file genpath: ${genpath}`);
  const options = rest.map((word): [string, string] => {
    const equals = word.indexOf('=');
    if (equals === -1) throw new DirectiveProblem(`Expected <key>=<value>, but got ${word}`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
  return { genpath, options: new Map(options) };
}

function lineLimit(options: ReadonlyMap<string, string>, absent: number): number {
  const text = options.get('maxlines');
  if (text === undefined) return absent;
  if (!/^[+-]?\d+$/.test(text)) throw new DirectiveProblem('maxlines must be integer');
  const lines = Number(text);
  if (lines < 1 || lines > 100_000) throw new DirectiveProblem('maxlines must be between 1 and 100000');
  return lines;
}

function pixels(
  key: 'width' | 'height',
  options: ReadonlyMap<string, string>,
): { width?: number; height?: number } {
  const text = options.get(key) ?? '';
  return /^\d+$/.test(text) ? { [key]: Number(text) } : {};
}
