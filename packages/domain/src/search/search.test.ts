import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { likePattern, matchesText, parseTextMatch } from '../text-match.ts';
import { parseInstant } from './instant.ts';
import { parseSearch } from './parse.ts';
import type { SearchQuery } from './query.ts';

function query(...keywords: string[]): SearchQuery {
  const parsed = parseSearch(keywords);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
}

const exact = (text: string): { kind: 'exact'; text: string } => ({ kind: 'exact', text });

describe('search keywords', () => {
  it('without any asks for the first ten', () => {
    expect(query()).toEqual({
      conditions: [],
      sort: undefined,
      limit: 10,
      offset: 0,
      aggregate: undefined,
      format: undefined,
    });
  });

  it.each([
    ['word', { kind: 'word', contains: exact('word') }],
    ['a,b', { kind: 'word', contains: exact('a,b') }],
    ['a.*b', { kind: 'word', contains: { kind: 'pattern', pieces: ['a', 'b'] } }],
    ['a b=c', { kind: 'word', contains: exact('a b=c') }],
    ['.unknown', { kind: 'word', contains: exact('.unknown') }],
    ['=acc', { kind: 'anywhere', contains: exact('acc') }],
    [
      'state=ready,failed',
      {
        kind: 'field',
        field: { kind: 'column', column: 'state', order: 'text' },
        value: { kind: 'one-of', texts: ['ready', 'failed'] },
      },
    ],
    [
      'type=run',
      { kind: 'field', field: { kind: 'column', column: 'bundle_type', order: 'text' }, value: exact('run') },
    ],
    [
      'size=5',
      { kind: 'field', field: { kind: 'metadata', key: 'data_size', order: 'number' }, value: exact('5') },
    ],
    [
      'name=run.*',
      {
        kind: 'field',
        field: { kind: 'metadata', key: 'name', order: 'text' },
        value: { kind: 'pattern', pieces: ['run', ''] },
      },
    ],
    [
      'tags=a=b',
      { kind: 'field', field: { kind: 'metadata', key: 'tags', order: 'text' }, value: exact('a=b') },
    ],
    [
      'constructor=x',
      { kind: 'field', field: { kind: 'metadata', key: 'constructor', order: 'text' }, value: exact('x') },
    ],
    ['owner=alice', { kind: 'owner', names: ['alice'] }],
    ['owner=', { kind: 'owner', names: [] }],
    ['.mine', { kind: 'mine' }],
    ['.shared', { kind: 'shared' }],
    ['.floating', { kind: 'floating' }],
    ['group=team', { kind: 'group', spec: 'team' }],
    ['dependency=0x1', { kind: 'dependency', key: undefined, parent: exact('0x1') }],
    ['dependency/data/x=0x1', { kind: 'dependency', key: 'data/x', parent: exact('0x1') }],
    ['worksheet=0x2', { kind: 'host-worksheet', worksheet: exact('0x2') }],
    ['host_worksheet=0x2', { kind: 'host-worksheet', worksheet: exact('0x2') }],
    ['.before=1970-01-02', { kind: 'created-before', seconds: 86400 }],
    ['.after=1970-01-01T01:00:00.9Z', { kind: 'created-after', seconds: 3600 }],
  ])('%s', (keyword, condition) => {
    expect(query(keyword).conditions).toEqual([condition]);
  });

  it('sorts by the last order given; sorting asks for the field', () => {
    const sorted = query('created=.sort', 'name=.sort-');
    expect(sorted.sort).toEqual({
      field: { kind: 'metadata', key: 'name', order: 'text' },
      descending: true,
    });
    expect(sorted.conditions).toEqual([
      { kind: 'has-field', field: { kind: 'metadata', key: 'created', order: 'number' } },
      { kind: 'has-field', field: { kind: 'metadata', key: 'name', order: 'text' } },
    ]);
    expect(query('.last')).toMatchObject({
      sort: { field: { kind: 'column', column: 'id', order: 'number' }, descending: true },
      conditions: [],
    });
  });

  it('counts, sums and formats', () => {
    expect(query('.limit=3', '.count')).toMatchObject({ aggregate: { kind: 'count' }, limit: null });
    expect(query('.count', '.limit=3')).toMatchObject({ aggregate: { kind: 'count' }, limit: 3 });
    expect(query('.mine', 'size=.sum', '.format=size')).toMatchObject({
      aggregate: { kind: 'sum', field: { kind: 'metadata', key: 'data_size' } },
      format: 'size',
      conditions: [{ kind: 'mine' }],
    });
  });

  it('pages', () => {
    expect(query('.limit=0', '.offset=20')).toMatchObject({ limit: 0, offset: 20 });
    for (const keyword of ['.limit=x', '.limit=-1', '.offset=', '.limit=1e3', '.after=yesterday']) {
      expect(parseSearch([keyword])).toMatchObject({ ok: false });
    }
  });

  it('understands any text', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (keywords) => {
        const parsed = parseSearch(keywords);
        return parsed.ok || parsed.problem !== '';
      }),
    );
  });
});

describe('instants', () => {
  it.each([
    ['2024-05-31', 1717113600],
    ['20240531', 1717113600],
    ['2024-05-31T12:30', 1717158600],
    ['2024-05-31 12:30:05', 1717158605],
    ['2024-05-31T12:30:05.999', 1717158605],
    ['2024-05-31T12:30:05+02:00', 1717151405],
    ['2024-05-31T12:30:05-0130', 1717164005],
    ['2024-02-29', 1709164800],
  ])('%s', (text, seconds) => {
    expect(parseInstant(text, 0)).toEqual({ ok: true, value: seconds });
  });

  it('takes the zone it is told for texts without one', () => {
    expect(parseInstant('1970-01-01T02:00', 120)).toEqual({ ok: true, value: 0 });
    expect(parseInstant('1970-01-01T02:00Z', 120)).toEqual({ ok: true, value: 7200 });
  });

  it.each(['', '2023-02-29', '2024-13-01', '2024-05-31T24:00', 'now', '2024-5-1'])('refuses %j', (text) => {
    expect(parseInstant(text, 0)).toMatchObject({ ok: false });
  });
});

describe('text matches', () => {
  it('treat only % and .* as wildcards', () => {
    expect(matchesText(parseTextMatch('a_c'), 'abc')).toBe(false);
    expect(matchesText(parseTextMatch('A%c'), 'abbbC')).toBe(true);
    expect(matchesText(parseTextMatch('ab%bc'), 'abc')).toBe(false);
    expect(matchesText(parseTextMatch('%b%b%'), 'abcb')).toBe(true);
    expect(matchesText(parseTextMatch('%b%b%'), 'abc')).toBe(false);
    expect(likePattern(parseTextMatch('a_b%c\\'))).toBe('a\\_b%c\\\\');
  });

  it('agree with a regular expression', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '%'), maxLength: 8 });
    const subject = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 });
    fc.assert(
      fc.property(text, subject, (pattern, tested) => {
        const expected = new RegExp(`^${pattern.replaceAll('%', '.*')}$`).test(tested);
        return matchesText(parseTextMatch(pattern), tested) === expected;
      }),
    );
  });
});
