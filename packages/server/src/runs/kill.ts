/* Ends a bundle on request: at once where nobody works on it, else by asking the worker (execution.md §8.1). */
import { assertNever, type BundleState, type BundleType } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import { charge } from '../accounts/charges.ts';
import { bundleNotFound } from '../bundles/access.ts';
import { transition, updateBundle, type BundleRow } from '../bundles/transition.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { queueMessage } from '../workers/message-queue.ts';
import { findAssignment, workerOf } from './assignments.ts';
import { repaired } from './damage.ts';
import { releaseRun } from './finalize.ts';
import {
  history,
  namedWorker,
  noteOnce,
  type Asker,
  type HistoryEvent,
  type NamedWorker,
} from './history.ts';
import { metadataOf } from './metadata.ts';
import { lockBundle } from './lock-bundle.ts';
import { killWaiting } from './restage.ts';

/**
 * Stores the intent and returns; it neither waits for a worker nor fails because of one.
 * @throws SheafError `action-refused` on a final bundle
 */
export async function killBundle(unit: UnitOfWork, uuid: string, by: Asker, now: number): Promise<BundleRow> {
  const bundle = await lockBundle(unit, uuid);
  if (bundle === undefined) throw bundleNotFound(uuid);
  const state = bundle.state as BundleState;
  switch (state) {
    case 'ready':
    case 'failed':
    case 'killed':
      throw new SheafError('action-refused', `Cannot kill bundle ${uuid}: it is ${state} already.`);
    case 'uploading':
    case 'making':
      return await killUnfinished(unit, bundle, by, now);
    case 'created':
    case 'staged':
      return bundle.bundle_type === 'run'
        ? await killUnbegun(unit, bundle, by, now)
        : await killUnfinished(unit, bundle, by, now);
    case 'starting':
    case 'worker_offline':
      return await killUnbegun(unit, bundle, by, now);
    case 'preparing':
    case 'running':
    case 'finalizing':
      return await askWorker(unit, bundle, by, now);
    default:
      return assertNever(state);
  }
}

/** A run that no worker has, or that its worker has not begun: whoever has heard of it is refused from now on. */
async function killUnbegun(unit: UnitOfWork, run: BundleRow, by: Asker, now: number): Promise<BundleRow> {
  const noted = await noteAction(unit, run, 'kill', now);
  await noteOnce(unit, run.uuid, now, killEvent(run, by, 'it ends at once.'));
  const killed = await killWaiting(unit, noted, now);
  await releaseRun(unit, run.uuid);
  return killed ?? noted;
}

/** Adds to the run's list of what was asked of it. */
export async function noteAction(
  unit: UnitOfWork,
  run: BundleRow,
  action: string,
  now: number,
): Promise<BundleRow> {
  const before = metadataOf(await repaired(unit, run))['actions'];
  const actions = [...(Array.isArray(before) ? before : []), action];
  return (await updateBundle(unit, run.uuid, { metadata: { actions } }, now)) ?? run;
}

async function askWorker(unit: UnitOfWork, run: BundleRow, by: Asker, now: number): Promise<BundleRow> {
  await noteAction(unit, run, 'kill', now);
  const intended = (await updateBundle(unit, run.uuid, { killRequestedAt: now }, now)) ?? run;
  const assignment = await findAssignment(unit.queries, run.uuid);
  const worker = assignment === undefined ? undefined : await namedWorker(unit, workerOf(assignment));
  await noteOnce(unit, run.uuid, now, killEvent(run, by, 'its worker is told.', worker));
  if (assignment !== undefined) {
    await queueMessage(unit, now, {
      ...workerOf(assignment),
      runUuid: run.uuid,
      epoch: assignment.epoch,
      message: { type: 'kill', uuid: run.uuid },
    });
  }
  return intended;
}

/** Uploads and makes stop with what they do; nothing of it is kept. */
function killEvent(run: BundleRow, by: Asker, next: string, worker?: NamedWorker): HistoryEvent {
  const facts = { user: by, worker, attempt: run.epoch === 0 ? undefined : run.epoch };
  return history('kill-requested', (names) => `${names.user} asked for the end of the run; ${next}`, facts);
}

async function killUnfinished(
  unit: UnitOfWork,
  bundle: BundleRow,
  by: Asker,
  now: number,
): Promise<BundleRow> {
  const type = bundle.bundle_type as BundleType;
  const killed = await transition(unit, {
    uuid: bundle.uuid,
    type,
    expected: type === 'make' ? ['uploading', 'created', 'staged', 'making'] : ['uploading'],
    next: 'killed',
    changes: { metadata: { data_size: 0 }, rootEntry: null },
    now,
    event: history('failed', (names) => `Stopped, as ${names.user} asked for.`, {
      user: by,
      more: { state: 'killed' },
    }),
  });
  if (bundle.data_size !== 0 && bundle.owner_id !== null)
    charge(unit, { userId: bundle.owner_id, seconds: 0, bytes: -bundle.data_size });
  return killed ?? bundle;
}
