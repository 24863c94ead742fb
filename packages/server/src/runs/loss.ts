/* What becomes of runs whose worker is gone or has forgotten them (execution.md §10.2, §31.3). */
import { assertNever, formatDate, judgeLoss, toleratedOmissions, type BundleState } from '@sheaf/domain';
import { sql } from 'kysely';
import { transition, type BundleRow } from '../bundles/transition.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { givenWorkers } from '../workers/given-workers.ts';
import { workerKeyText, type WorkerKey } from '../workers/worker-key.ts';
import { assignmentsOfWorker, workerOf, type AssignmentRow } from './assignments.ts';
import { readableMetadata, repaired } from './damage.ts';
import { releaseRun } from './finalize.ts';
import { history, namedWorker, type NamedWorker } from './history.ts';
import { lockHeld } from './lock-bundle.ts';
import { epochSeconds } from './metadata.ts';
import { killWaiting, restageRun } from './restage.ts';
import { finalizeWhenStored } from './shared-filesystem/finalize-when-stored.ts';

const forgottenBy = 'does not know the run any more';

/**
 * Removes a worker; its runs go elsewhere, wait for its return, or are finished without it.
 * @param how what has become of it, such as `has ended`
 */
export async function removeWorker(
  unit: UnitOfWork,
  key: WorkerKey,
  how: string,
  now: number,
): Promise<void> {
  const worker = await namedWorker(unit, key);
  const assignments = await assignmentsOfWorker(unit.queries, worker);
  for (const run of await lockHeld(unit, assignments))
    await loseRun(unit, run, { worker, forgotten: false, how }, now);
  for (const table of ['message', 'assignment', 'worker'] as const) {
    await unit.queries
      .deleteFrom(table)
      .where('user_id', '=', worker.userId)
      .where('worker_id', '=', worker.workerId)
      .execute();
  }
  unit.announce({ type: 'worker.changed', ...key });
}

export async function loseRun(
  unit: UnitOfWork,
  run: BundleRow,
  loss: { worker: NamedWorker; forgotten: boolean; how: string },
  now: number,
): Promise<void> {
  const preemptible = readableMetadata(run)?.['on_preemptible_worker'] === true;
  const { worker, forgotten, how } = loss;
  const decision = judgeLoss({ state: run.state as BundleState, preemptible, forgotten });
  switch (decision) {
    case 'restage': {
      const kind = preemptible && run.state !== 'starting' ? 'preempted' : 'restaged';
      const event = history(kind, (names) => `${names.worker} ${how}; the run waits for another one.`, {
        worker,
        attempt: run.epoch,
      });
      await restageRun(unit, run, { event, keepMetadata: kind === 'preempted' }, now);
      return;
    }
    case 'offline':
      await takeOffline(unit, run, worker, how, now);
      return;
    case 'finalize':
      if (!(await finalizeWhenStored(unit, run, now))) await releaseRun(unit, run.uuid);
      return;
    case 'nothing':
      await releaseRun(unit, run.uuid);
      return;
    default:
      assertNever(decision);
  }
}

async function takeOffline(
  unit: UnitOfWork,
  run: BundleRow,
  worker: NamedWorker,
  how: string,
  now: number,
): Promise<void> {
  await repaired(unit, run);
  const who = run.is_anonymous === 1 ? 'Its worker' : `The worker ${worker.workerId}`;
  const since = `${formatDate(epochSeconds(now), 0)} UTC`;
  const seen = how === forgottenBy ? how : 'is gone';
  const next = 'the run goes on when it returns with it, and `cl kill` ends it.';
  const event = history('offline', (names) => `${names.worker} ${how}; ${next}`, {
    worker,
    attempt: run.epoch,
  });
  const offline = await transition(unit, {
    uuid: run.uuid,
    type: 'run',
    expected: ['preparing', 'running'],
    next: 'worker_offline',
    changes: {
      metadata: { last_updated: epochSeconds(now), run_status: `${who} ${seen} since ${since}; ${next}` },
    },
    now,
    event,
  });
  await releaseRun(unit, run.uuid);
  if (offline !== undefined && offline.kill_requested_at !== null) await killWaiting(unit, offline, now);
}

/** Those of the check-ins that change the count of a run's omissions: they leave out what they hold, or name again what they left out. */
export async function omittingWorkers<
  Checkin extends { readonly worker: WorkerKey; readonly uuids: ReadonlySet<string> },
>(unit: UnitOfWork, checkins: readonly Checkin[]): Promise<Checkin[]> {
  if (checkins.length === 0) return [];
  const wanted = givenWorkers(
    unit.dialect,
    checkins.map(({ worker }) => worker),
  );
  const { rows } = await sql<AssignmentRow>`select assignment.* from ${wanted} as wanted
    join assignment on assignment.user_id = wanted.of_user and assignment.worker_id = wanted.of_worker
    where assignment.started_at is not null`.execute(unit.queries);
  const byWorker = new Map(checkins.map((checkin) => [workerKeyText(checkin.worker), checkin]));
  const omitting = new Set<Checkin>();
  for (const row of rows) {
    const checkin = byWorker.get(workerKeyText(workerOf(row)));
    if (checkin === undefined) continue;
    if (row.omissions > 0 || !checkin.uuids.has(row.run_uuid)) omitting.add(checkin);
  }
  return [...omitting];
}

/** Counts check-ins that leave out a started run; at the second in a row the run is lost. */
export async function noticeOmissions(
  unit: UnitOfWork,
  worker: WorkerKey,
  reported: ReadonlySet<string>,
  now: number,
): Promise<void> {
  const held = (await assignmentsOfWorker(unit.queries, worker)).filter(
    ({ started_at }) => started_at !== null,
  );
  const lost: AssignmentRow[] = [];
  for (const assignment of held) {
    const omissions = reported.has(assignment.run_uuid) ? 0 : assignment.omissions + 1;
    if (omissions === assignment.omissions) continue;
    if (omissions > toleratedOmissions) lost.push(assignment);
    await unit.queries
      .updateTable('assignment')
      .set({ omissions })
      .where('run_uuid', '=', assignment.run_uuid)
      .execute();
  }
  for (const run of await lockHeld(unit, lost)) {
    const loss = { worker: await namedWorker(unit, worker), forgotten: true, how: forgottenBy };
    await loseRun(unit, run, loss, now);
  }
}
