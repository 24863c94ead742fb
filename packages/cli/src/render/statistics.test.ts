import { expect, it } from 'vitest';
import type { StatisticsPoint } from '@sheaf/wire';
import { sparkline } from './sparkline.ts';
import { courseLines, csvLines, pointTable } from './statistics.ts';

const start = 1_700_000_000_000;
const points: StatisticsPoint[] = [
  [start, null, 1 << 20, 0, 0.5, 0.25],
  [start + 1000, 1.5, 4 << 20, 1536, 1.5, 0.5],
  [start + 2000, 0.75, 2 << 20, 2048, 2, 0.75],
];
const attempt = { epoch: 2, resolution: 1, points };

it('shows the course of an attempt', () => {
  expect(courseLines(attempt)).toEqual([
    'attempt 2: 3 points, one every 1.0s, over 2.0s',
    'cpu      █▄  last 0.75, most 1.50',
    'memory  ▂█▄  last 2m, most 4m',
    'disk    ▁▆█  last 2k, most 2k',
    'processor time: user 2.0s, system 0.8s',
  ]);
  expect(courseLines({ ...attempt, points: [] })).toEqual(['attempt 2: nothing seen yet']);
});

it('lists points for people', () => {
  const [header = '', , first = '', , last = ''] = pointTable(attempt);
  expect(header.split(/\s+/).filter(Boolean)).toEqual(['time', 'cpu', 'memory', 'disk', 'user', 'system']);
  expect(first.split(/\s+/).filter(Boolean)).toEqual(['0.0s', '-', '1m', '0', '0.5s', '0.2s']);
  expect(last.split(/\s+/).filter(Boolean)).toEqual(['2.0s', '0.75', '2m', '2k', '2.0s', '0.8s']);
});

it('lists points for programs', () => {
  expect(csvLines(['at', 'cpu', 'memory', 'disk', 'user', 'system'], [attempt]).slice(0, 2)).toEqual([
    'attempt,at,cpu,memory,disk,user,system',
    `2,${start},,1048576,0,0.5,0.25`,
  ]);
});

it('a line is never longer than asked for, and keeps its peaks', () => {
  const readings = Array.from({ length: 1000 }, (_, at) => ({ at, value: at === 500 ? 8 : 1 }));

  const line = sparkline(readings, 60);

  expect(line).toHaveLength(60);
  expect(line.split('█')).toHaveLength(2);
  expect(sparkline([], 60)).toBe('');
  expect(sparkline([{ at: 5, value: 0 }], 60)).toBe('▁');
});
