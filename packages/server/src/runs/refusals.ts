/* Workers that still want, or still do, what is not theirs any more: told no, and noted once (execution.md §31.1). */
import { isFinal, type BundleState } from '@sheaf/domain';
import { z } from 'zod';
import type { BundleRow } from '../bundles/transition.ts';
import { readableJson } from '../database/readable-json.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { workerKeyText } from '../workers/worker-key.ts';
import { history, noteOnce, type NamedWorker } from './history.ts';

/** A worker asked to begin an attempt that it was given once, and is not its own any more. */
export async function noteRefusal(
  unit: UnitOfWork,
  worker: NamedWorker,
  run: BundleRow,
  epoch: number | null,
  now: number,
): Promise<void> {
  const attempt = await attemptOf(unit, worker, run, epoch);
  if (attempt === undefined) return;
  const event = history(
    'refused',
    (names) => `${names.worker} asked to begin, but the run is not its own any more; it was told no.`,
    { worker, attempt },
  );
  await noteOnce(unit, run.uuid, now, event);
}

/** A worker goes on with an attempt that it has lost, and was told to stop it. */
export async function noteDisowned(
  unit: UnitOfWork,
  worker: NamedWorker,
  run: BundleRow,
  epoch: number | null,
  now: number,
): Promise<void> {
  const attempt = await attemptOf(unit, worker, run, epoch);
  if (attempt === undefined) return;
  const why = isFinal(run.state as BundleState) ? 'which is over' : 'which is not its own any more';
  const event = history(
    'refused',
    (names) => `${names.worker} still had the run, ${why}; it was told to stop it.`,
    { worker, attempt },
  );
  await noteOnce(unit, run.uuid, now, event);
}

const assigned = z.object({ worker: z.string(), epoch: z.number() });

/** The attempt the worker was given; undefined where it never had one: what strangers ask for is not the run's history. */
async function attemptOf(
  unit: UnitOfWork,
  worker: NamedWorker,
  run: BundleRow,
  epoch: number | null,
): Promise<number | undefined> {
  const rows = await unit.queries
    .selectFrom('bundle_event')
    .select('details')
    .where('bundle_uuid', '=', run.uuid)
    .where('kind', '=', 'assigned')
    .orderBy('id', 'desc')
    .execute();
  const key = workerKeyText(worker);
  return rows
    .flatMap(({ details }) => assigned.safeParse(readableJson(details)).data ?? [])
    .find((given) => given.worker === key && (epoch === null || given.epoch === epoch))?.epoch;
}
