/* The end of a run: final state, exact accounts, no assignment; all in the caller's transaction (execution.md §10.3, §31.6). */
import { write } from '../database/unanswered.ts';
import { finalStateOf, type FinalState } from '@sheaf/domain';
import { sizeOf } from '@sheaf/trees';
import { sql } from 'kysely';
import { charge } from '../accounts/charges.ts';
import { transitionAll, type BundleRow, type Move } from '../bundles/transition.ts';
import { storedEntry } from '../contents/stored.ts';
import { givenTexts } from '../database/given-rows.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { dropMessagesOfRuns } from '../workers/message-queue.ts';
import { holdersOf } from './assignments.ts';
import { repaired } from './damage.ts';
import { history, sentence, type HistoryEvent, type NamedWorker } from './history.ts';
import { epochSeconds, metadataOf, numberOf, textOf } from './metadata.ts';
import { keepActions, settledActions, type SettledAction } from './run-action.ts';

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
  run: BundleRow,
  now: number,
): Promise<BundleRow | undefined> {
  return (await finalizeRuns(unit, [run], now)).get(run.uuid);
}

/** The same for many, with a few statements. @returns those that are final now, by uuid */
export async function finalizeRuns(
  unit: UnitOfWork,
  given: readonly BundleRow[],
  now: number,
): Promise<ReadonlyMap<string, BundleRow>> {
  if (given.length === 0) return new Map();
  const ends: End[] = [];
  for (const row of given) ends.push(endOf(await repaired(unit, row)));
  const actions = await settledActions(
    unit,
    ends.map(({ run, state, isStored }) => ({ run, succeeded: state === 'ready' && isStored })),
  );
  const workers = await holdersOf(
    unit,
    ends.map(({ run }) => run.uuid),
  );
  const moves = ends.map((end) => moveTo(end, workers.get(end.run.uuid), actions.get(end.run.uuid), now));
  const final = await transitionAll(unit, 'run', moves, now);
  await keepActions(unit, new Map([...actions].filter(([uuid]) => final.has(uuid))), now);
  charge(
    unit,
    ...ends.flatMap(({ run, size }) =>
      final.has(run.uuid) && run.owner_id !== null
        ? [{ userId: run.owner_id, seconds: 0, bytes: size - run.data_size }]
        : [],
    ),
  );
  await releaseRuns(unit, [...final.keys()]);
  return final;
}

interface End {
  readonly run: BundleRow;
  readonly state: FinalState;
  readonly failureMessage: string | undefined;
  readonly isStored: boolean;
  /** Bytes. */
  readonly size: number;
}

function endOf(run: BundleRow): End {
  const metadata = metadataOf(run);
  // An upload that was refused fails the run, also where its worker never came to say so.
  const failureMessage = textOf(metadata['failure_message']) ?? run.upload_failure ?? undefined;
  const state = finalStateOf({ failureMessage, exitcode: numberOf(metadata['exitcode']) });
  const entry = storedEntry(run);
  return {
    run,
    state,
    failureMessage,
    isStored: entry !== undefined,
    size: entry === undefined ? 0 : sizeOf(entry),
  };
}

function moveTo(
  { run, state, failureMessage, size }: End,
  worker: NamedWorker | undefined,
  action: SettledAction | undefined,
  now: number,
): Move {
  const key = action?.key ?? undefined;
  return {
    uuid: run.uuid,
    from: 'finalizing',
    next: state,
    metadata: {
      run_status: 'Finished',
      last_updated: epochSeconds(now),
      data_size: size,
      ...(failureMessage === undefined ? {} : { failure_message: failureMessage }),
      ...(key === undefined ? {} : { action_key: key }),
    },
    killForgotten: true,
    event: endEvent(run, state, failureMessage, worker),
  };
}

function endEvent(
  run: BundleRow,
  state: FinalState,
  failure: string | undefined,
  worker: NamedWorker | undefined,
): HistoryEvent {
  const text =
    state === 'ready' ? words.ready : sentence(`${words[state]}: ${failure ?? 'nobody knows why'}`);
  const facts = { worker, attempt: run.epoch, more: { state } };
  return history(state === 'ready' ? 'finished' : 'failed', text, facts);
}

/** No worker holds the run any more, and nothing more is to be told about it. */
export async function releaseRun(unit: UnitOfWork, uuid: string): Promise<void> {
  await releaseRuns(unit, [uuid]);
}

async function releaseRuns(unit: UnitOfWork, uuids: readonly string[]): Promise<void> {
  if (uuids.length === 0) return;
  await write(
    unit,
    sql`delete from assignment where run_uuid in
    (select given from ${givenTexts(unit.dialect, uuids)} as runs)`,
  );
  await dropMessagesOfRuns(unit, uuids);
}
