import { expect, it } from 'vitest';
import { asctime, isoInstant, parseIsoInstant, parseUserDate } from './instant.ts';

const instant = Date.UTC(2024, 0, 2, 3, 4, 5);

it('writes instants with an offset, and user dates with a padded day', () => {
  expect(isoInstant(instant)).toBe('2024-01-02T03:04:05+00:00');
  expect(isoInstant(instant + 120)).toBe('2024-01-02T03:04:05.120+00:00');
  expect(asctime(instant)).toBe('Tue Jan  2 03:04:05 2024');
});

it.each([
  ['2024-01-02T03:04:05+00:00', instant],
  ['2024-01-02T03:04:05Z', instant],
  ['2024-01-02 03:04:05', instant],
  ['2024-01-02T05:04:05.123456+02:00', instant + 123],
  ['2024-01-02', Date.UTC(2024, 0, 2)],
  ['tomorrow', undefined],
  ['2024-13-01', undefined],
])('reads %s', (text, expected) => {
  expect(parseIsoInstant(text)).toBe(expected);
});

it('reads user dates as it writes them', () => {
  expect(parseUserDate(asctime(instant))).toBe(instant);
  expect(parseUserDate('2024-01-02T03:04:05')).toBe(instant);
});
