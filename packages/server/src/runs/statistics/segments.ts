/*
 * A series as it lies in the database: closed segments that are not touched any more, and a short open one, so that a sample costs
 * the writing of at most a minute of samples, however long the run.
 */
import { appendSamples, bounded, type UsageSample, type UsageSeries } from '@sheaf/domain';

/** Points of a closed segment. */
export const segmentSize = 60;
/** Points an attempt keeps at most; then its resolution is halved. */
export const mostPoints = 1200;
/** The open segment keeps the last two: the last may still be merged with what comes, and its mean needs the one before. */
const kept = 2;

export interface OpenSegment extends UsageSeries {
  /** How many are closed: they have the numbers 1, 2, … */
  readonly closed: number;
}

export interface ClosedSegment {
  readonly segment: number;
  readonly points: readonly UsageSample[];
}

/** Adds samples to the end of a series; answers the new end and what is closed by that. */
export function grow(
  open: OpenSegment | undefined,
  samples: readonly UsageSample[],
): { open: OpenSegment; closed: ClosedSegment[] } | undefined {
  const series = appendSamples(open, samples);
  return series === undefined ? undefined : divide(series, open?.closed ?? 0);
}

export function isTooLong({ closed, points }: OpenSegment): boolean {
  return closed * segmentSize + points.length > mostPoints;
}

/** The whole series anew, with at most half as many points. @param closed the points of the closed segments, in their order */
export function shorten(
  open: OpenSegment,
  closed: readonly UsageSample[],
): { open: OpenSegment; closed: ClosedSegment[] } {
  const whole = { first: open.first, resolution: open.resolution, points: [...closed, ...open.points] };
  return divide(bounded(whole, mostPoints / 2 + kept), 0);
}

function divide(series: UsageSeries, before: number): { open: OpenSegment; closed: ClosedSegment[] } {
  const closed: ClosedSegment[] = [];
  let points = series.points;
  while (points.length >= segmentSize + kept) {
    closed.push({ segment: before + closed.length + 1, points: points.slice(0, segmentSize) });
    points = points.slice(segmentSize);
  }
  return { open: { ...series, points, closed: before + closed.length }, closed };
}

type Stored = readonly [number, number | null, number | null, number | null, number | null, number | null];

/** As text: times relative to the first sample, no more digits than anybody can measure. */
export function encodePoints(points: readonly UsageSample[], first: number): string {
  return JSON.stringify(
    points.map(({ at, cpu, memory, disk, user, system }) => [
      at - first,
      thousandths(cpu),
      whole(memory),
      whole(disk),
      thousandths(user),
      thousandths(system),
    ]),
  );
}

/** Of our own making, and read for every run every second: taken as it is. */
export function decodePoints(text: string, first: number): UsageSample[] {
  const points = JSON.parse(text) as readonly Stored[];
  return points.map(([at, cpu, memory, disk, user, system]) => ({
    at: first + at,
    cpu,
    memory,
    disk,
    user,
    system,
  }));
}

function thousandths(value: number | null): number | null {
  return value === null ? null : Math.round(value * 1000) / 1000;
}

function whole(value: number | null): number | null {
  return value === null ? null : Math.round(value);
}
