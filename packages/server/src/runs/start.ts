/* The worker's question whether it may start a run; granted once for each attempt (execution.md §6.1, §31.1). */
import { assertNever, judgeStart, type BundleState } from '@sheaf/domain';
import type { StartBundleRequest } from '@sheaf/wire';
import { transition, type BundleRow } from '../bundles/transition.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { workerKeyText } from '../workers/worker-key.ts';
import { findAssignment, holderOf, type AssignmentRow } from './assignments.ts';
import { repaired } from './damage.ts';
import { releaseRun } from './finalize.ts';
import { history } from './history.ts';
import { noteRefusal } from './refusals.ts';
import { lockBundle } from './lock-bundle.ts';
import { epochSeconds, metadataOf } from './metadata.ts';
import type { ReportingWorker } from './reports.ts';
import { killWaiting } from './restage.ts';

const preparing = 'Fetching what the run depends on and its image.';

/** False whenever the run is not the worker's to start, also where it does not exist: never an error (execution.md §2). */
export async function startRun(
  unit: UnitOfWork,
  worker: ReportingWorker,
  uuid: string,
  request: StartBundleRequest,
  now: number,
): Promise<boolean> {
  const bundle = await lockBundle(unit, uuid);
  const assignment = await findAssignment(unit.queries, uuid);
  const decision = judgeStart({
    bundle:
      bundle === undefined
        ? null
        : { state: bundle.state as BundleState, killRequested: bundle.kill_requested_at !== null },
    assignment: assignment === undefined ? null : holderOf(assignment),
    worker: workerKeyText(worker),
    epoch: request.epoch ?? null,
  });
  switch (decision) {
    case 'grant':
      return (
        bundle !== undefined &&
        assignment !== undefined &&
        (await grant(unit, worker, bundle, assignment, request, now))
      );
    case 'repeat':
      return true;
    case 'refuse':
      if (bundle !== undefined) await noteRefusal(unit, worker, bundle, request.epoch ?? null, now);
      return false;
    case 'refuse and kill':
      if (bundle !== undefined) {
        await killWaiting(unit, bundle, now);
        await releaseRun(unit, uuid);
      }
      return false;
    default:
      return assertNever(decision);
  }
}

async function grant(
  unit: UnitOfWork,
  worker: ReportingWorker,
  bundle: BundleRow,
  assignment: AssignmentRow,
  request: StartBundleRequest,
  now: number,
): Promise<boolean> {
  const before = metadataOf(await repaired(unit, bundle))['remote_history'];
  const hosts = Array.isArray(before) ? before : [];
  const started = await transition(unit, {
    uuid: bundle.uuid,
    type: 'run',
    expected: ['starting'],
    next: 'preparing',
    epoch: assignment.epoch,
    changes: {
      metadata: {
        run_status: preparing,
        started: Math.floor(request.start_time === 0 ? now / 1000 : request.start_time),
        // The server's clock: a worker whose clock is wrong must not look dead (execution.md §31.3).
        last_updated: epochSeconds(now),
        remote: request.hostname,
        on_preemptible_worker: worker.preemptible,
        remote_history: [...hosts, request.hostname],
      },
    },
    now,
    event: history('started', (names) => `${names.worker} has begun: it fetches what the run needs.`, {
      worker: { ...worker, hostname: request.hostname === '' ? worker.hostname : request.hostname },
      attempt: assignment.epoch,
    }),
  });
  if (started === undefined) return false;
  await unit.queries
    .updateTable('assignment')
    .set({ started_at: now, reported_at: now, omissions: 0 })
    .where('run_uuid', '=', bundle.uuid)
    .execute();
  // A second delivery of a started run would reset it on an original worker (execution.md §5.1).
  await unit.queries
    .deleteFrom('message')
    .where('run_uuid', '=', bundle.uuid)
    .where('type', '=', 'run')
    .execute();
  return true;
}
