/* A run goes back to the queue (execution.md §10.5). */
import { keysClearedOnRestage, waitingForWorker, type BundleState } from '@sheaf/domain';
import { sizeOf } from '@sheaf/trees';
import { charge } from '../accounts/charges.ts';
import { transition, type BundleRow } from '../bundles/transition.ts';
import { storedEntry } from '../contents/stored.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { failDamaged, isDamaged, repaired } from './damage.ts';
import { releaseRun } from './finalize.ts';
import type { HistoryEvent } from './history.ts';
import { history } from './history.ts';
import { epochSeconds } from './metadata.ts';

export interface RestageRequest {
  readonly event: HistoryEvent;
  /** Runs of preemptible workers go on elsewhere and keep what is known about them. */
  readonly keepMetadata: boolean;
}

const underWay = ['starting', 'preparing', 'running', 'finalizing', 'worker_offline'] satisfies BundleState[];

/**
 * Gives the bytes that were counted back to the owner and lets the run wait anew; one that somebody wanted dead dies instead, and
 * one of which nobody knows any more what it asks for fails.
 * @returns undefined when the run is in none of the states of a run under way.
 */
export async function restageRun(
  unit: UnitOfWork,
  run: BundleRow,
  request: RestageRequest,
  now: number,
): Promise<BundleRow | undefined> {
  const damaged = isDamaged(run);
  await repaired(unit, run);
  const cleared = request.keepMetadata ? [] : keysClearedOnRestage;
  const staged = await transition(unit, {
    uuid: run.uuid,
    type: 'run',
    expected: underWay,
    next: 'staged',
    changes: {
      metadata: {
        ...Object.fromEntries(cleared.map((key) => [key, null])),
        ...(request.keepMetadata ? { last_updated: epochSeconds(now) } : {}),
        data_size: null,
        staged_status: waitingForWorker,
      },
      rootEntry: null,
      uploadFailure: null,
    },
    now,
    event: request.event,
  });
  if (staged === undefined) return undefined;
  if (run.data_size !== 0 && run.owner_id !== null)
    charge(unit, { userId: run.owner_id, seconds: 0, bytes: -run.data_size });
  await releaseRun(unit, run.uuid);
  if (staged.kill_requested_at !== null) return await killWaiting(unit, staged, now);
  if (damaged) await failDamaged(unit, staged, ['staged'], now);
  return staged;
}

/** Ends a run that no worker holds, because somebody asked for it. It takes of its owner's quota what is stored of it. */
export async function killWaiting(
  unit: UnitOfWork,
  bundle: BundleRow,
  now: number,
): Promise<BundleRow | undefined> {
  const entry = storedEntry(bundle);
  const size = entry === undefined ? 0 : sizeOf(entry);
  const killed = await transition(unit, {
    uuid: bundle.uuid,
    type: 'run',
    expected: ['created', 'staged', 'starting', 'worker_offline'],
    next: 'killed',
    changes: {
      killRequestedAt: null,
      metadata: {
        failure_message: 'Kill requested',
        last_updated: epochSeconds(now),
        // What its worker has measured is on the worker only, and goes with it.
        ...(size === bundle.data_size ? {} : { data_size: size }),
      },
    },
    now,
    event: history('failed', 'The run was stopped as asked for; no worker has it.', {
      more: { state: 'killed' },
    }),
  });
  if (killed !== undefined && size !== bundle.data_size && bundle.owner_id !== null)
    charge(unit, { userId: bundle.owner_id, seconds: 0, bytes: size - bundle.data_size });
  return killed;
}
