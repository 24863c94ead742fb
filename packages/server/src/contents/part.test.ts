import { expect, it } from 'vitest';
import { readQuery } from '../http/query.ts';
import { acceptsGzip, requestedPart } from './part.ts';

const part = (query: string, range?: string) => requestedPart(readQuery(new URLSearchParams(query)), range);

it('asks for everything unless told otherwise', () => {
  expect(part('')).toEqual({ kind: 'whole' });
  expect(part('head=0&tail=0')).toEqual({ kind: 'whole' });
});

it('reads ranges whose end is inclusive', () => {
  expect(part('', 'bytes=0-0')).toEqual({ kind: 'range', offset: 0, length: 1 });
  expect(part('', 'bytes=10-19')).toEqual({ kind: 'range', offset: 10, length: 10 });
  expect(part('', 'bytes=10-3')).toEqual({ kind: 'range', offset: 10, length: 0 });
});

it.each(['bytes=0-', 'bytes=-5', 'bytes=1-2,4-5', 'lines=1-2', ''])('refuses the range %s', (range) => {
  expect(() => part('', range)).toThrow("Range must be 'bytes=START-END'.");
});

it('reads summaries', () => {
  expect(part('head=3&truncation_text=..')).toEqual({
    kind: 'summary',
    head: 3,
    tail: 0,
    maxLineLength: 128,
    truncationText: '..',
  });
});

it.each(['head=-1', 'tail=-2', 'head=1&max_line_length=0'])('refuses %s', (query) => {
  expect(() => part(query)).toThrow();
});

it('refuses a range of a summary', () => {
  expect(() => part('head=1', 'bytes=0-1')).toThrow('cannot be combined');
});

it.each([
  ['gzip', true],
  ['deflate, gzip;q=0.5', true],
  ['GZIP', true],
  ['gzip;q=0', false],
  ['identity', false],
  [undefined, false],
  ['x-gzip', false],
])('%s accepts gzip: %s', (header, accepted) => {
  expect(acceptsGzip(header)).toBe(accepted);
});
