/* Attempts of a run that the platform has spoilt, as its history tells them (execution.md §31.4). */
import type { SpoiltAttempt } from '@sheaf/domain';
import { z } from 'zod';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { readableJson } from '../database/readable-json.ts';

const restaged = z.object({
  reason: z.string().optional(),
  failure_cause: z.string().optional(),
  worker_id: z.string().optional(),
  host: z.string().nullish(),
});

export interface EarlierAttempts {
  /** In their order. */
  readonly spoilt: readonly SpoiltAttempt[];
  /** Times the run went back to the queue, whatever for. */
  readonly restarts: number;
}

/** @param named whether the workers may be named: they would tell whose an anonymous run is */
export async function earlierAttempts(
  unit: UnitOfWork,
  uuid: string,
  { named }: { named: boolean },
): Promise<EarlierAttempts> {
  const rows = await unit.queries
    .selectFrom('bundle_event')
    .select('details')
    .where('bundle_uuid', '=', uuid)
    .where('kind', '=', 'restaged')
    .orderBy('id')
    .execute();
  const spoilt = rows.flatMap(({ details }): SpoiltAttempt[] => {
    const event = restaged.safeParse(readableJson(details)).data;
    if (event?.failure_cause === undefined) return [];
    const worker = named ? placeOf(event.worker_id, event.host) : undefined;
    return [{ reason: event.reason ?? 'nobody knows why', worker }];
  });
  return { spoilt, restarts: rows.length };
}

/** Where an attempt was, for its owner. */
export function placeOf(workerId: string | undefined, host: string | null | undefined): string | undefined {
  if (workerId === undefined) return undefined;
  return host === undefined || host === null || host === '' ? workerId : `${workerId} on ${host}`;
}
