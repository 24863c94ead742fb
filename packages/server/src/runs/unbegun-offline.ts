/*
 * Runs whose worker came back without them before their commands had begun. A start can be granted in an answer that the worker did
 * not live to hear; by the time it is back, the run waits for its return, and nobody else would look after it (execution.md §31.3).
 */
import { isOpen } from '../bundles/open-bundles.ts';
import { z } from 'zod';
import { readableJson } from '../database/readable-json.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { findWorkers } from '../workers/register.ts';
import { workerKeyText, type WorkerKey } from '../workers/worker-key.ts';
import { history } from './history.ts';
import { lockBundles } from './lock-bundle.ts';
import { restageRun } from './restage.ts';

const told = z.object({ epoch: z.number(), worker: z.string() });

/**
 * Gives them to whoever takes them. A worker that is known again has reported all that it holds when it came back, and what it holds
 * is not offline any more. Answers how many there were.
 */
export async function restageUnbegun(unit: UnitOfWork, now: number): Promise<number> {
  const unbegun = await unbegunRuns(unit);
  const known = await findWorkers(unit, unbegun.values());
  const back = [...unbegun].filter(([, worker]) => known.has(workerKeyText(worker)));
  let restaged = 0;
  const runs = await lockBundles(
    unit,
    back.map(([uuid]) => uuid),
  );
  for (const run of runs.values()) {
    // The worker may have come back with it in between.
    if (run.state !== 'worker_offline') continue;
    const worker = unbegun.get(run.uuid);
    const hostname = worker === undefined ? undefined : known.get(workerKeyText(worker))?.hostname;
    const event = history(
      'restaged',
      (names) =>
        `${names.worker} came back without the run, which had not begun; it waits for a worker again.`,
      {
        worker: worker === undefined ? undefined : { ...worker, hostname: hostname ?? null },
        attempt: run.epoch,
      },
    );
    if ((await restageRun(unit, run, { event, keepMetadata: false }, now)) !== undefined) restaged += 1;
  }
  return restaged;
}

/** Runs that are offline and whose newest attempt was never seen running, with the worker that has it. */
async function unbegunRuns(unit: UnitOfWork): Promise<Map<string, WorkerKey>> {
  const rows = await unit.queries
    .selectFrom('bundle')
    .innerJoin('bundle_event', 'bundle_event.bundle_uuid', 'bundle.uuid')
    .select(['bundle.uuid', 'bundle.epoch', 'bundle_event.kind', 'bundle_event.details'])
    .where(isOpen())
    .where('bundle.state', '=', 'worker_offline')
    .where('bundle_event.kind', 'in', ['assigned', 'running'])
    .orderBy('bundle_event.id')
    .execute();
  const found = new Map<string, WorkerKey>();
  for (const { uuid, epoch, kind, details } of rows) {
    const event = told.safeParse(readableJson(details)).data;
    if (event?.epoch !== epoch) continue;
    const [userId = '', workerId = ''] = event.worker.split('\n');
    if (kind === 'assigned') found.set(uuid, { userId, workerId });
    else found.delete(uuid);
  }
  return found;
}
