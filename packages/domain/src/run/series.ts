/*
 * What a run uses over time, kept in a bounded number of points: when there are too many, neighbours are merged and the resolution
 * is halved. The first sample stays what it was, and the last one is always there.
 */

/** One look at a running command. Null: not known. */
export interface UsageSample {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Cores in use since the sample before. */
  readonly cpu: number | null;
  /** Bytes. */
  readonly memory: number | null;
  readonly disk: number | null;
  /** Seconds of processor time so far. */
  readonly user: number | null;
  readonly system: number | null;
}

export interface UsageSeries {
  /** When the first sample was taken; the buckets begin there. */
  readonly first: number;
  /** Milliseconds of one bucket: samples in the same one become one point. */
  readonly resolution: number;
  readonly points: readonly UsageSample[];
}

/** Milliseconds; samples come about this often. */
export const finestResolution = 1000;

/** Adds samples; those that are not later than the last point are known already. */
export function appendSamples(
  series: UsageSeries | undefined,
  samples: readonly UsageSample[],
): UsageSeries | undefined {
  const [earliest] = samples;
  if (earliest === undefined) return series;
  const { first, resolution } = series ?? { first: earliest.at, resolution: finestResolution };
  const points = [...(series?.points ?? [])];
  for (const sample of samples) add(points, sample, first, resolution);
  return { first, resolution, points };
}

/** The same series with half the resolution. */
export function coarser({ first, resolution, points }: UsageSeries): UsageSeries {
  const merged: UsageSample[] = [];
  for (const point of points) add(merged, point, first, resolution * 2);
  return { first, resolution: resolution * 2, points: merged };
}

/** Halves the resolution until there are no more points than that. @param most at least 2 */
export function bounded(series: UsageSeries, most: number): UsageSeries {
  let result = series;
  while (result.points.length > most) result = coarser(result);
  return result;
}

function add(points: UsageSample[], sample: UsageSample, first: number, resolution: number): void {
  const last = points.at(-1);
  if (last === undefined) {
    points.push(sample);
  } else if (sample.at > last.at) {
    const joins = bucketOf(last.at, first, resolution) === bucketOf(sample.at, first, resolution);
    if (joins) points[points.length - 1] = merge(points.at(-2), last, sample);
    else points.push(sample);
  }
}

/** The first sample has a bucket of its own. */
function bucketOf(at: number, first: number, resolution: number): number {
  return Math.ceil((at - first) / resolution);
}

/** Peaks of memory survive; cores become their mean over the time both cover. */
function merge(before: UsageSample | undefined, left: UsageSample, right: UsageSample): UsageSample {
  const weight = before === undefined ? right.at - left.at : left.at - before.at;
  return {
    at: right.at,
    cpu: mean(left.cpu, weight, right.cpu, right.at - left.at),
    memory: larger(left.memory, right.memory),
    disk: right.disk ?? left.disk,
    user: larger(left.user, right.user),
    system: larger(left.system, right.system),
  };
}

function mean(
  left: number | null,
  leftWeight: number,
  right: number | null,
  rightWeight: number,
): number | null {
  if (left === null || right === null) return left ?? right;
  return (left * leftWeight + right * rightWeight) / (leftWeight + rightWeight);
}

function larger(left: number | null, right: number | null): number | null {
  return left === null || right === null ? (left ?? right) : Math.max(left, right);
}
