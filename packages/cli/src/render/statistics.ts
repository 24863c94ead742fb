/** What a run uses, for people and for scripts. */
import { formatDuration, formatSize } from '@sheaf/domain';
import type { StatisticsAttempt, StatisticsPoint } from '@sheaf/wire';
import { sparkline } from './sparkline.ts';
import { renderTable } from './table.ts';

const width = 60;
const unknown = '-';

/** An attempt on five lines: when, three courses, and the processor time. */
export function courseLines({ epoch, resolution, points }: StatisticsAttempt): string[] {
  const [first] = points;
  const last = points.at(-1);
  if (first === undefined || last === undefined) return [`attempt ${epoch}: nothing seen yet`];
  const seconds = (last[0] - first[0]) / 1000;
  return [
    `attempt ${epoch}: ${points.length} points, one every ${formatDuration(resolution)}, over ${formatDuration(seconds)}`,
    courseLine('cpu', points, 1, cores),
    courseLine('memory', points, 2, size),
    courseLine('disk', points, 3, size),
    `processor time: user ${duration(last[4])}, system ${duration(last[5])}`,
  ];
}

function courseLine(
  name: string,
  points: readonly StatisticsPoint[],
  column: 1 | 2 | 3,
  format: (value: number | null) => string,
): string {
  const readings = points.map((point) => ({ at: point[0], value: point[column] }));
  const known = readings.flatMap(({ value }) => value ?? []);
  const most = known.length === 0 ? null : Math.max(...known);
  return `${name.padEnd(7)} ${sparkline(readings, width)}  last ${format(known.at(-1) ?? null)}, most ${format(most)}`;
}

export const pointColumns = ['time', 'cpu', 'memory', 'disk', 'user', 'system'] as const;

/** @param from when the attempt's first point was taken */
export function pointCells([at, cpu, memory, disk, user, system]: StatisticsPoint, from: number): string[] {
  return [
    formatDuration((at - from) / 1000),
    cores(cpu),
    size(memory),
    size(disk),
    duration(user),
    duration(system),
  ];
}

export function pointTable({ points }: StatisticsAttempt): string[] {
  const from = points[0]?.[0] ?? 0;
  const rows = points.map((point) => pointCells(point, from));
  return renderTable(pointColumns, rows, { right: pointColumns });
}

/** Numbers as they are: milliseconds since the epoch, cores, bytes, seconds; nothing where something is not known. */
export function csvLines(columns: readonly string[], attempts: readonly StatisticsAttempt[]): string[] {
  return [
    ['attempt', ...columns].join(','),
    ...attempts.flatMap(({ epoch, points }) =>
      points.map((point) => [epoch, ...point.map((value) => value ?? '')].join(',')),
    ),
  ];
}

function cores(value: number | null): string {
  return value === null ? unknown : value.toFixed(2);
}

function size(value: number | null): string {
  return value === null ? unknown : formatSize(value);
}

function duration(value: number | null): string {
  return value === null ? unknown : formatDuration(value);
}
