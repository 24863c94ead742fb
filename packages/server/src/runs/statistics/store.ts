/* Keeps the samples of runs: a few statements for all runs of a report, however many they are. */
import type { UsageSample } from '@sheaf/domain';
import { inChunks } from '../../database/chunks.ts';
import type { RunSeriesTable } from '../../database/schema.ts';
import type { UnitOfWork } from '../../database/unit-of-work.ts';
import {
  decodePoints,
  encodePoints,
  grow,
  isTooLong,
  shorten,
  type ClosedSegment,
  type OpenSegment,
} from './segments.ts';

/** What is new about one attempt of a run. */
export interface NewSamples {
  readonly uuid: string;
  readonly epoch: number;
  readonly samples: readonly UsageSample[];
}

/** Attempts of one run whose series are kept. */
const keptAttempts = 10;
/** Rows of one statement. */
const mostRows = 500;

/** Adds samples; those that are known already are left out. */
export async function storeSamples(unit: UnitOfWork, batch: readonly NewSamples[]): Promise<void> {
  const attempts = byAttempt(batch);
  if (attempts.length === 0) return;
  const open = await openSegments(
    unit,
    attempts.map(({ uuid }) => uuid),
  );
  const rows: RunSeriesTable[] = [];
  for (const attempt of attempts) {
    const known = open.get(nameOf(attempt));
    const grown = grow(known, attempt.samples);
    if (grown === undefined) continue;
    const result = isTooLong(grown.open) ? await shortened(unit, attempt, grown) : grown;
    rows.push(...rowsOf(attempt, result.open, result.closed));
    if (known === undefined) await forgetOldAttempts(unit, attempt);
  }
  await writeRows(unit, rows);
}

/** Samples the same attempt sent in several reports, together; times whole, and such that a database takes them. */
function byAttempt(batch: readonly NewSamples[]): NewSamples[] {
  const attempts = new Map<string, { uuid: string; epoch: number; samples: UsageSample[] }>();
  for (const { uuid, epoch, samples } of batch) {
    const name = nameOf({ uuid, epoch });
    const attempt = attempts.get(name) ?? { uuid, epoch, samples: [] };
    attempts.set(name, attempt);
    for (const sample of samples) {
      const at = Math.round(sample.at);
      if (Number.isSafeInteger(at) && at > 0) attempt.samples.push({ ...sample, at });
    }
  }
  return [...attempts.values()].filter(({ samples }) => samples.length > 0);
}

async function openSegments(unit: UnitOfWork, uuids: readonly string[]): Promise<Map<string, OpenSegment>> {
  const rows = await inChunks(uuids, (chunk) =>
    unit.queries
      .selectFrom('run_series')
      .selectAll()
      .where('bundle_uuid', 'in', chunk)
      .where('segment', '=', 0)
      .execute(),
  );
  return new Map(
    rows.map((row) => [
      nameOf({ uuid: row.bundle_uuid, epoch: row.epoch }),
      {
        first: row.first_at,
        resolution: row.resolution,
        closed: row.closed,
        points: decodePoints(row.points, row.first_at),
      },
    ]),
  );
}

/** Half the resolution for the whole attempt: what was closed is written anew. */
async function shortened(
  unit: UnitOfWork,
  { uuid, epoch }: NewSamples,
  grown: { open: OpenSegment; closed: readonly ClosedSegment[] },
): Promise<{ open: OpenSegment; closed: ClosedSegment[] }> {
  const before = await unit.queries
    .deleteFrom('run_series')
    .where('bundle_uuid', '=', uuid)
    .where('epoch', '=', epoch)
    .where('segment', '>', 0)
    .returning(['segment', 'points'])
    .execute();
  const points = [
    ...before
      .toSorted((left, right) => left.segment - right.segment)
      .flatMap((row) => decodePoints(row.points, grown.open.first)),
    ...grown.closed.flatMap((segment) => segment.points),
  ];
  return shorten(grown.open, points);
}

function rowsOf(
  { uuid, epoch }: NewSamples,
  open: OpenSegment,
  closed: readonly ClosedSegment[],
): RunSeriesTable[] {
  const { first, resolution } = open;
  const common = { bundle_uuid: uuid, epoch, resolution, first_at: first };
  return [
    { ...common, segment: 0, closed: open.closed, points: encodePoints(open.points, first) },
    ...closed.map(({ segment, points }) => ({
      ...common,
      segment,
      closed: 0,
      points: encodePoints(points, first),
    })),
  ];
}

async function writeRows(unit: UnitOfWork, rows: readonly RunSeriesTable[]): Promise<void> {
  for (let start = 0; start < rows.length; start += mostRows) {
    await unit.queries
      .insertInto('run_series')
      .values(rows.slice(start, start + mostRows))
      .onConflict((conflict) =>
        conflict.columns(['bundle_uuid', 'epoch', 'segment']).doUpdateSet((of) => ({
          resolution: of.ref('excluded.resolution'),
          closed: of.ref('excluded.closed'),
          points: of.ref('excluded.points'),
        })),
      )
      .execute();
  }
}

/** A run that is begun again and again must not collect series for ever. */
async function forgetOldAttempts(unit: UnitOfWork, { uuid, epoch }: NewSamples): Promise<void> {
  if (epoch <= keptAttempts) return;
  await unit.queries
    .deleteFrom('run_series')
    .where('bundle_uuid', '=', uuid)
    .where('epoch', '<=', epoch - keptAttempts)
    .execute();
}

function nameOf({ uuid, epoch }: Pick<NewSamples, 'uuid' | 'epoch'>): string {
  return `${uuid}.${epoch}`;
}
