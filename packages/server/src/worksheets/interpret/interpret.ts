/* Items to blocks (worksheets.md §7). Pure: searches have run, files are read afterwards. */
import { assertNever, pythonText } from '@sheaf/domain';
import { errorBlock, type Block, type SubworksheetInfo } from './blocks.ts';
import {
  DirectiveProblem,
  displayBundles,
  standardDisplay,
  type Display,
  type ShownBundle,
} from './display.ts';
import { addedColumn, builtInSchemas, type Column } from './schemas.ts';

/** One item, or one of the things a search has found in its place. `line` is its index in the source. */
export type SourceItem = { line: number } & (
  | { kind: 'markup'; text: string; id: number | null; sortKey: number | null }
  | { kind: 'directive'; tokens: readonly string[]; id: number; sortKey: number }
  | { kind: 'bundle'; bundle: ShownBundle }
  | { kind: 'worksheet'; info: SubworksheetInfo }
  /** A line that could not be read, or a search that failed. */
  | { kind: 'problem'; problem: string }
);

export interface Interpreted {
  blocks: Block[];
  /** For each line the block it is shown in and the place there; null where it is shown nowhere. */
  places: ([block: number, place: number] | null)[];
}

export function interpret(items: readonly SourceItem[], lines: number): Interpreted {
  const interpreter = new Interpreter(lines);
  for (const item of items) interpreter.take(item);
  return interpreter.finish();
}

interface OpenSchema {
  name: string;
  columns: Column[];
  ids: number[];
  line: number;
  lastKey: number;
}

class Interpreter {
  readonly #blocks: Block[] = [];
  readonly #places: Interpreted['places'];
  readonly #schemas = new Map(builtInSchemas);
  #display: Display = standardDisplay;
  #bundles: { bundle: ShownBundle; line: number }[] = [];
  #worksheets: { info: SubworksheetInfo; line: number }[] = [];
  #schema: OpenSchema | undefined;
  #afterMarkup = false;

  constructor(lines: number) {
    this.#places = Array.from({ length: lines }, () => null);
  }

  take(item: SourceItem): void {
    if (item.kind !== 'bundle') this.#flushBundles();
    if (item.kind !== 'worksheet') this.#flushWorksheets();
    const extendsSchema = item.kind === 'directive' && ['add', 'addschema'].includes(item.tokens[0] ?? '');
    if (!extendsSchema) this.#closeSchema('sortKey' in item ? item.sortKey : undefined);
    // What is found by a search stands where the search did, and keeps the display that was set for it.
    if (item.kind !== 'bundle' && !isSearch(item)) this.#display = standardDisplay;
    const afterMarkup = this.#afterMarkup;
    this.#afterMarkup = false;
    try {
      this.#add(item, afterMarkup);
    } catch (error) {
      if (!(error instanceof DirectiveProblem)) throw error;
      this.#schema = undefined;
      this.#report(item.line, error.message);
    }
  }

  finish(): Interpreted {
    this.#flushBundles();
    this.#flushWorksheets();
    this.#closeSchema(undefined);
    return { blocks: this.#blocks, places: this.#places };
  }

  #add(item: SourceItem, afterMarkup: boolean): void {
    switch (item.kind) {
      case 'markup':
        this.#addMarkup(item, afterMarkup);
        return;
      case 'bundle':
        this.#bundles.push(item);
        return;
      case 'worksheet':
        this.#worksheets.push(item);
        return;
      case 'directive':
        this.#follow(item);
        return;
      case 'problem':
        throw new DirectiveProblem(item.problem);
      default:
        assertNever(item);
    }
  }

  #addMarkup({ text, id, sortKey, line }: SourceItem & { kind: 'markup' }, afterMarkup: boolean): void {
    if (text.trim() === '') return;
    this.#afterMarkup = true;
    const last = this.#blocks.at(-1);
    if (afterMarkup && last?.mode === 'markup_block' && last.error !== true) {
      last.text += `\n${text}`;
      last.ids?.push(id);
      last.sort_keys?.push(sortKey);
    } else {
      this.#blocks.push({ mode: 'markup_block', is_refined: true, text, ids: [id], sort_keys: [sortKey] });
    }
    this.#places[line] = [this.#blocks.length - 1, 0];
  }

  #follow(item: SourceItem & { kind: 'directive' }): void {
    const [word = '', ...words] = item.tokens;
    switch (word) {
      case '':
      case '%':
        return;
      case 'schema':
        this.#openSchema(item, words[0]);
        return;
      case 'add':
        this.#addColumn(item, words);
        return;
      case 'addschema':
        this.#addSchema(item, words[0]);
        return;
      case 'display': {
        const [mode, ...rest] = words;
        if (mode === undefined) throw new DirectiveProblem('`display` missing mode');
        this.#display = { mode, words: rest, line: item.line };
        return;
      }
      case 'search':
      case 'wsearch':
        // Its results come in its place.
        return;
      default:
        throw new DirectiveProblem(`unknown directive \`${word}\``);
    }
  }

  #openSchema(item: SourceItem & { kind: 'directive' }, name: string | undefined): void {
    if (name === undefined) throw new DirectiveProblem('`schema` missing name');
    this.#schema = { name, columns: [], ids: [item.id], line: item.line, lastKey: item.sortKey };
    this.#schemas.set(name, this.#schema.columns);
    this.#places[item.line] = [this.#blocks.length, 0];
  }

  #addColumn(item: SourceItem & { kind: 'directive' }, words: readonly string[]): void {
    const schema = this.#schema;
    if (schema === undefined) throw new DirectiveProblem('`add` must be preceded by `schema` directive');
    const column = addedColumn(words, schema.name);
    if (column === undefined)
      throw new DirectiveProblem(`Invalid number of arguments: ${pythonText([...words])}`);
    schema.columns.push(column);
    schema.ids.push(item.id);
    schema.lastKey = item.sortKey;
  }

  #addSchema(item: SourceItem & { kind: 'directive' }, name: string | undefined): void {
    const schema = this.#schema;
    if (schema === undefined)
      throw new DirectiveProblem('`addschema` must be preceded by `schema` directive');
    if (name === undefined) throw new DirectiveProblem('`addschema` missing name');
    const columns = this.#schemas.get(name);
    if (columns === undefined) {
      this.#schema = undefined;
      this.#blocks.push(
        errorBlock(`Unexpected error while parsing line ${item.line + 1}: unknown schema \`${name}\``),
      );
      this.#places[item.line] = [this.#blocks.length - 1, 0];
      return;
    }
    schema.columns.push(...columns);
    schema.ids.push(item.id);
    schema.lastKey = item.sortKey;
  }

  #closeSchema(nextKey: number | null | undefined): void {
    const schema = this.#schema;
    if (schema === undefined) return;
    this.#schema = undefined;
    this.#blocks.push({
      mode: 'schema_block',
      is_refined: true,
      schema_name: schema.name,
      header: ['field', 'generalized-path', 'post-processor'],
      field_rows: schema.columns.map((column) => ({
        field: column.name,
        'generalized-path': column.genpath,
        'post-processor': column.post,
        from_schema_name: column.schema,
      })),
      ids: schema.ids,
      sort_keys: [nextKey ?? schema.lastKey],
    });
  }

  #flushBundles(): void {
    const pending = this.#bundles;
    const [first] = pending;
    if (first === undefined) return;
    this.#bundles = [];
    const at = this.#blocks.length;
    try {
      const shown = pending.map(({ bundle }) => bundle);
      const blocks = displayBundles(this.#display, shown, this.#schemas, first.line);
      this.#blocks.push(...blocks);
      const isOneBlock = blocks.length === 1 && pending.length > 1;
      for (const [index, { line }] of pending.entries()) {
        if (blocks.length > 0) this.#places[line] = isOneBlock ? [at, index] : [at + index, 0];
      }
    } catch (error) {
      if (!(error instanceof DirectiveProblem)) throw error;
      this.#report(this.#display.line ?? first.line, error.message);
    }
  }

  #flushWorksheets(): void {
    if (this.#worksheets.length === 0) return;
    const pending = this.#worksheets;
    this.#worksheets = [];
    for (const [index, { line }] of pending.entries()) this.#places[line] = [this.#blocks.length, index];
    this.#blocks.push({
      mode: 'subworksheets_block',
      is_refined: true,
      subworksheet_infos: pending.map(({ info }) => info),
      sort_keys: pending.map(({ info }) => info.sort_key),
    });
  }

  #report(line: number, message: string): void {
    this.#blocks.push(errorBlock(`Error in source line ${line + 1}: ${message}`));
    this.#places[line] = [this.#blocks.length - 1, 0];
  }
}

function isSearch(item: SourceItem): boolean {
  return item.kind === 'directive' && item.tokens[0] === 'search';
}
