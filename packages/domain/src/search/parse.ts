import { metadataTypeOf } from '../bundle/metadata-table.ts';
import { failure, success, type Outcome } from '../outcome.ts';
import { parseTextMatch } from '../text-match.ts';
import { parseInstant } from './instant.ts';
import {
  defaultSearchLimit,
  type SearchColumn,
  type SearchCondition,
  type SearchField,
  type SearchQuery,
  type ValueMatch,
} from './query.ts';

const keyedPattern = /^([a-zA-Z0-9_./]*)=([^]*)$/;

const aliases: Readonly<Record<string, string>> = {
  type: 'bundle_type',
  size: 'data_size',
  worksheet: 'host_worksheet',
};

const columns: Readonly<Record<SearchColumn, 'number' | 'text'>> = {
  uuid: 'text',
  id: 'number',
  state: 'text',
  command: 'text',
  owner_id: 'text',
  bundle_type: 'text',
};

/**
 * Reads the keywords of a bundle search (rest-api.md §12). Every term is a condition of its own, so the same relation may
 * be asked about twice. Problems: a `.limit` or `.offset` that is no number, an unreadable time.
 *
 * @param offsetMinutes the zone of times written without one, minutes east of UTC.
 */
export function parseSearch(keywords: readonly string[], offsetMinutes = 0): Outcome<SearchQuery> {
  const query: SearchQuery = {
    conditions: [],
    sort: undefined,
    limit: defaultSearchLimit,
    offset: 0,
    aggregate: undefined,
    format: undefined,
  };
  for (const keyword of keywords) {
    const problem = addKeyword(query, keyword, offsetMinutes);
    if (problem !== undefined) return failure(problem);
  }
  return success(query);
}

/** Adds what a keyword says, or answers what is wrong with it. */
function addKeyword(query: SearchQuery, keyword: string, offsetMinutes: number): string | undefined {
  const keyed = keyedPattern.exec(keyword);
  if (keyed === null) return addWord(query, keyword);
  const typed = keyed[1] ?? '';
  const value = keyed[2] ?? '';
  switch (typed) {
    case '.limit':
    case '.offset':
      return addNumber(query, typed, value);
    case '.before':
    case '.after':
      return addInstant(query, typed, value, offsetMinutes);
    case '.format':
      query.format = value;
      return undefined;
    default:
      addTerm(query, Object.hasOwn(aliases, typed) ? (aliases[typed] ?? typed) : typed, value);
      return undefined;
  }
}

function addWord(query: SearchQuery, word: string): undefined {
  switch (word) {
    case '.mine':
      query.conditions.push({ kind: 'mine' });
      return;
    case '.shared':
      query.conditions.push({ kind: 'shared' });
      return;
    case '.floating':
      query.conditions.push({ kind: 'floating' });
      return;
    case '.last':
      query.sort = { field: fieldOf('id'), descending: true };
      return;
    case '.count':
      query.aggregate = { kind: 'count' };
      query.limit = null;
      return;
    default:
      query.conditions.push({ kind: 'word', contains: parseTextMatch(word) });
  }
}

function addNumber(query: SearchQuery, key: '.limit' | '.offset', value: string): string | undefined {
  const number = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(number)) {
    return `Invalid ${key}: ${value}, expected a whole number`;
  }
  if (key === '.limit') query.limit = number;
  else query.offset = number;
  return undefined;
}

function addInstant(
  query: SearchQuery,
  key: '.before' | '.after',
  value: string,
  offsetMinutes: number,
): string | undefined {
  const instant = parseInstant(value, offsetMinutes);
  if (!instant.ok) return `Invalid ${key}: ${instant.problem}`;
  query.conditions.push({
    kind: key === '.before' ? 'created-before' : 'created-after',
    seconds: instant.value,
  });
  return undefined;
}

function addTerm(query: SearchQuery, key: string, value: string): void {
  if (key !== '' && isSpecial(value)) addSpecial(query, fieldOf(key), value);
  else query.conditions.push(conditionOf(key, value));
}

type Special = '.sort' | '.sort-' | '.sum';

function isSpecial(value: string): value is Special {
  return value === '.sort' || value === '.sort-' || value === '.sum';
}

function addSpecial(query: SearchQuery, field: SearchField, special: Special): void {
  if (special === '.sum') {
    query.aggregate = { kind: 'sum', field };
    return;
  }
  query.sort = { field, descending: special === '.sort-' };
  if (field.kind === 'metadata') query.conditions.push({ kind: 'has-field', field });
}

function conditionOf(key: string, value: string): SearchCondition {
  switch (key) {
    case '':
      return { kind: 'anywhere', contains: parseTextMatch(value) };
    case 'owner':
      return { kind: 'owner', names: value.split(',').filter((name) => name !== '') };
    case 'group':
      return { kind: 'group', spec: value };
    case 'host_worksheet':
      return { kind: 'host-worksheet', worksheet: valueMatch(value) };
    case 'dependency':
      return { kind: 'dependency', key: undefined, parent: valueMatch(value) };
    default:
      return key.startsWith('dependency/')
        ? { kind: 'dependency', key: key.slice('dependency/'.length), parent: valueMatch(value) }
        : { kind: 'field', field: fieldOf(key), value: valueMatch(value) };
  }
}

function valueMatch(value: string): ValueMatch {
  return value.includes(',') ? { kind: 'one-of', texts: value.split(',') } : parseTextMatch(value);
}

function fieldOf(key: string): SearchField {
  if (isColumn(key)) return { kind: 'column', column: key, order: columns[key] };
  const type = metadataTypeOf(key);
  return { kind: 'metadata', key, order: type === 'int' || type === 'float' ? 'number' : 'text' };
}

function isColumn(key: string): key is SearchColumn {
  return Object.hasOwn(columns, key);
}
