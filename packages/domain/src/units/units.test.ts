import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDate } from './date.ts';
import { toFixedHalfEven } from './decimal.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { formatRatio } from './ratio.ts';
import { formatSize, parseSize } from './size.ts';

describe('sizes', () => {
  it.each([
    ['3', 3],
    ['3k', 3072],
    ['3K', 3072],
    ['1.5m', 1572864],
    ['2g', 2147483648],
    ['0.5g', 536870912],
    ['1t', 1099511627776],
    ['0', 0],
    ['.5k', 512],
  ])('reads %s', (text, value) => {
    expect(parseSize(text)).toEqual({ ok: true, value });
  });

  it.each([
    '3.5',
    '',
    'k',
    '3kb',
    '1e3',
    '-5',
    '+5',
    '1_000',
    '3k\n',
    '9007199254740993',
    '1.k',
    '99999999t',
  ])('refuses %j', (text) => {
    expect(parseSize(text)).toEqual({
      ok: false,
      problem: `Invalid size: ${text}, expected <number>[<k|m|g|t>]`,
    });
  });

  it.each([
    [0, '0', '0 bytes'],
    [99.01, '99.0', '99.0 bytes'],
    [700.3, '700', '700 bytes'],
    [1023, '1023', '1023 bytes'],
    [1024, '1k', '1k'],
    [1025, '1.0k', '1.0k'],
    [3500, '3.4k', '3.4k'],
    [400000, '390k', '390k'],
    [1048575, '1023k', '1023k'],
    [4000000, '3.8m', '3.8m'],
    [450000000000000, '409t', '409t'],
    [2147483648, '2g', '2g'],
    [1536, '1.5k', '1.5k'],
    [800000, '781k', '781k'],
    [4000, '3.9k', '3.9k'],
    [102912, '100k', '100k'],
    [2e9, '1.9g', '1.9g'],
    [1280, '1.2k', '1.2k'],
    [2048 * 1024 ** 4, '2048t', '2048t'],
    [-1536, '-1.5k', '-1.5k'],
  ])('writes %d', (bytes, plain, withBytes) => {
    expect(formatSize(bytes)).toBe(plain);
    expect(formatSize(bytes, { withBytes: true })).toBe(withBytes);
  });

  it('reads back what it writes, to within what a reader sees', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 50 }), (bytes) => {
        const read = parseSize(formatSize(Math.max(1, bytes)));
        if (!read.ok) return /\./.test(formatSize(bytes)) && bytes < 1024;
        return (
          formatSize(read.value) === formatSize(Math.max(1, bytes)) ||
          Math.abs(read.value - bytes) <= bytes / 10
        );
      }),
    );
  });

  it('passes null on', () => {
    expect(formatSize(null)).toBeNull();
    expect(formatDuration(null)).toBeNull();
  });
});

describe('durations', () => {
  it.each([
    ['3', 3],
    ['3.5', 3.5],
    ['3s', 3],
    ['3m', 180],
    ['3h', 10800],
    ['3d', 259200],
    ['3y', 94608000],
    ['1.5H', 5400],
  ])('reads %s', (text, value) => {
    expect(parseDuration(text)).toEqual({ ok: true, value });
  });

  it.each(['', 'm', '3w', '1:30', '3ms', '2d4h', '-1', '1e3', '3.', '3s\n', '9'.repeat(400)])(
    'refuses %j',
    (text) => {
      expect(parseDuration(text)).toEqual({
        ok: false,
        problem: `Invalid duration: ${text}, expected <number>[<s|m|h|d|y>]`,
      });
    },
  );

  it.each([
    [0, '0.0s'],
    [59.96, '60.0s'],
    [60, '1m0s'],
    [61, '1m1s'],
    [0.26, '0.3s'],
    [100, '1m40s'],
    [3600, '1h0m'],
    [10000, '2h46m'],
    [86399, '23h59m'],
    [90000, '1d1h'],
    [266400, '3d2h'],
    [31536000, '1y0d'],
    [40000000, '1y97d'],
    [63331200, '2y3d'],
  ])('writes %d', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});

describe('ratios', () => {
  it('shows a percentage with one decimal', () => {
    expect(formatRatio(60, 120, formatDuration)).toBe('1m0s / 2m0s (50.0%)');
    expect(formatRatio(5, 0, (bytes) => formatSize(bytes))).toBe('5 / 0 (100.0%)');
  });
});

describe('dates', () => {
  it('formats for the zone it is told', () => {
    expect(formatDate(1700000000)).toBe('2023-11-14 22:13:20');
    expect(formatDate(1442513840, 0)).toBe('2015-09-17 18:17:20');
    expect(formatDate(1700000000, 90)).toBe('2023-11-14 23:43:20');
    expect(formatDate(1700000000.5)).toBe('2023-11-14 22:13:20.500000');
    expect(formatDate(-0.25)).toBe('1969-12-31 23:59:59.750000');
  });

  it('does not fail for instants no calendar holds', () => {
    expect(formatDate(1e20)).toBe('100000000000000000000');
  });
});

describe('decimals', () => {
  it.each([
    [1.25, 1, '1.2'],
    [1.35, 1, '1.4'],
    [0.5, 0, '0'],
    [1.5, 0, '2'],
    [2.5, 0, '2'],
    [-2.5, 0, '-2'],
    [0.125, 2, '0.12'],
    [0.375, 2, '0.38'],
    [9.75, 1, '9.8'],
    [1e22, 2, '10000000000000000000000.00'],
  ])('rounds %d to %d places like C', (value, digits, text) => {
    expect(toFixedHalfEven(value, digits)).toBe(text);
  });

  it('is never further away than half a unit of the last place', () => {
    fc.assert(
      fc.property(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.nat(6), (value, digits) => {
        const text = toFixedHalfEven(value, digits);
        return Math.abs(Number(text) - value) <= 0.5 * 10 ** -digits * (1 + 1e-9) + 1e-9;
      }),
    );
  });
});
