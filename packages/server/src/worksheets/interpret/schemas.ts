/* Columns of tables and the schemas that come with every worksheet (worksheets.md §5.2). */
import { genpathColumnName } from '@sheaf/domain';

export interface Column {
  name: string;
  genpath: string;
  post: string | null;
  /** The schema that defined it; null for those built in. */
  schema: string | null;
}

export type Schemas = ReadonlyMap<string, readonly Column[]>;

const column = (name: string, genpath = name, post: string | null = null): Column => ({
  name,
  genpath,
  post,
  schema: null,
});

const uuid = column('uuid[0:8]', 'uuid', '[0:8]');
const name = column('name');
const summary = column('summary[0:1024]', 'summary');
const dataSize = column('data_size', 'data_size', 'size');
const time = column('time', 'time', 'duration');
const state = column('state');
const description = column('description');
const standard = [uuid, name, summary, dataSize, state, description];
const uploaded = [uuid, name, dataSize, description];

export const builtInSchemas: Schemas = new Map([
  ['uuid', [uuid]],
  ['name', [name]],
  ['state', [state]],
  ['description', [description]],
  ['summary', [summary]],
  ['data_size', [dataSize]],
  ['time', [time]],
  ['created', [column('created', 'created', 'date')]],
  ['default', standard],
  ['program', uploaded],
  ['dataset', uploaded],
  ['make', standard],
  ['run', [uuid, name, summary, dataSize, time, state, description]],
]);

/** Each argument is a schema, or `name[:genpath[:post]]`. None means `default`. */
export function columnsOf(words: readonly string[], schemas: Schemas): Column[] {
  return (words.length === 0 ? ['default'] : words).flatMap((word) => [
    ...(schemas.get(word) ?? [columnOf(word)]),
  ]);
}

function columnOf(word: string): Column {
  const [first = '', second, ...rest] = word.split(':');
  if (second === undefined) return column(genpathColumnName(word), word);
  return column(first, second, rest.length === 0 ? null : rest.join(':'));
}

/** The column of an `add` directive; undefined for a wrong number of words. */
export function addedColumn(words: readonly string[], schema: string): Column | undefined {
  const [first, genpath, post] = words;
  if (first === undefined || words.length > 3) return undefined;
  const plain =
    genpath === undefined ? column(genpathColumnName(first), first) : column(first, genpath, post ?? null);
  return { ...plain, schema };
}
