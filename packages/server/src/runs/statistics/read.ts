/* Reads what a run used over time, as clients get it. */
import type { RunStatistics, StatisticsAttempt } from '@sheaf/wire';
import { statisticsColumns } from '@sheaf/wire';
import type { AnyQueries } from '../../accounts/users.ts';
import type { RunSeriesTable } from '../../database/schema.ts';
import { decodePoints } from './segments.ts';

/** @param after milliseconds since the epoch: points that are not later are left out. */
export async function readStatistics(queries: AnyQueries, uuid: string, after = 0): Promise<RunStatistics> {
  const rows = await queries
    .selectFrom('run_series')
    .selectAll()
    .where('bundle_uuid', '=', uuid)
    .orderBy('epoch')
    .orderBy('segment')
    .execute();
  const attempts = new Map<number, RunSeriesTable[]>();
  for (const row of rows) attempts.set(row.epoch, [...(attempts.get(row.epoch) ?? []), row]);
  return {
    type: 'run-statistics',
    id: uuid,
    attributes: {
      columns: [...statisticsColumns],
      attempts: [...attempts].map(([epoch, segments]) => attemptOf(epoch, segments, after)),
    },
  };
}

/** @param segments in the order of their numbers: the open one, which is the end, comes first. */
function attemptOf(epoch: number, segments: readonly RunSeriesTable[], after: number): StatisticsAttempt {
  const [open, ...closed] = segments;
  const points = [...closed, ...(open === undefined ? [] : [open])]
    .flatMap((row) => decodePoints(row.points, row.first_at))
    .filter(({ at }) => at > after);
  return {
    epoch,
    resolution: (open?.resolution ?? 0) / 1000,
    points: points.map(({ at, cpu, memory, disk, user, system }) => [at, cpu, memory, disk, user, system]),
  };
}
