/* The end of a run: final state, exact accounts, no assignment; all in the caller's transaction (execution.md §10.3, §31.6). */
import { finalStateOf, type FinalState } from '@sheaf/domain';
import { sizeOf } from '@sheaf/trees';
import { chargeDisk } from '../accounts/quota.ts';
import { transition, type BundleRow } from '../bundles/transition.ts';
import { storedEntry } from '../contents/stored.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { dropMessagesOfRun } from '../workers/message-queue.ts';
import { repaired } from './damage.ts';
import { history, namedWorker, sentence, type HistoryEvent } from './history.ts';
import { findAssignment, workerOf } from './assignments.ts';
import { epochSeconds, metadataOf, numberOf, textOf } from './metadata.ts';
import { keepAction, settledAction } from './run-action.ts';

const words: Readonly<Record<FinalState, string>> = {
  ready: 'The command succeeded, and its results are stored.',
  failed: 'The run failed',
  killed: 'The run was stopped',
};

/**
 * Makes a `finalizing` run final. What it takes of its owner's quota is what is stored, whatever was measured before.
 * @returns undefined when it is not finalizing any more.
 */
export async function finalizeRun(
  unit: UnitOfWork,
  given: BundleRow,
  now: number,
): Promise<BundleRow | undefined> {
  const run = await repaired(unit, given);
  const metadata = metadataOf(run);
  // An upload that was refused fails the run, also where its worker never came to say so.
  const failureMessage = textOf(metadata['failure_message']) ?? run.upload_failure ?? undefined;
  const state = finalStateOf({ failureMessage, exitcode: numberOf(metadata['exitcode']) });
  const entry = storedEntry(run);
  const size = entry === undefined ? 0 : sizeOf(entry);
  const action = await settledAction(unit, run, state === 'ready' && entry !== undefined);
  const key = action?.key ?? undefined;
  const final = await transition(unit, {
    uuid: run.uuid,
    type: 'run',
    expected: ['finalizing'],
    next: state,
    changes: {
      metadata: {
        run_status: 'Finished',
        last_updated: epochSeconds(now),
        data_size: size,
        ...(failureMessage === undefined ? {} : { failure_message: failureMessage }),
        ...(key === undefined ? {} : { action_key: key }),
      },
      killRequestedAt: null,
    },
    now,
    event: await endEvent(unit, run, state, failureMessage),
  });
  if (final === undefined) return undefined;
  if (action !== undefined) await keepAction(unit, run.uuid, action, now);
  if (size !== run.data_size && run.owner_id !== null)
    await chargeDisk(unit, run.owner_id, size - run.data_size);
  await releaseRun(unit, run.uuid);
  return final;
}

async function endEvent(
  unit: UnitOfWork,
  run: BundleRow,
  state: FinalState,
  failure: string | undefined,
): Promise<HistoryEvent> {
  const text =
    state === 'ready' ? words.ready : sentence(`${words[state]}: ${failure ?? 'nobody knows why'}`);
  const assignment = await findAssignment(unit.queries, run.uuid);
  const worker = assignment === undefined ? undefined : await namedWorker(unit, workerOf(assignment));
  const facts = { worker, attempt: run.epoch, more: { state } };
  return history(state === 'ready' ? 'finished' : 'failed', text, facts);
}

/** No worker holds the run any more, and nothing more is to be told about it. */
export async function releaseRun(unit: UnitOfWork, uuid: string): Promise<void> {
  await unit.queries.deleteFrom('assignment').where('run_uuid', '=', uuid).execute();
  await dropMessagesOfRun(unit, uuid);
}
