/* Gives a staged run to a worker: state, assignment and message in one transaction (execution.md §13.5). */
import type { Metadata, ResourceRequest } from '@sheaf/domain';
import { sql } from 'kysely';
import { transition } from '../bundles/transition.ts';
import { attempt } from '../database/attempt.ts';
import { endsTransaction } from '../database/contention.ts';
import type { DependencyEntries } from '../contents/dependency-entries.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { queueMessage } from '../workers/message-queue.ts';
import { countedStarts } from '../workers/register.ts';
import type { WorkerKey } from '../workers/worker-key.ts';
import { history, type NamedWorker } from './history.ts';
import { epochSeconds } from './metadata.ts';
import { noteAction, type KnownInput } from './run-action.ts';
import { runMessage, type MessageDependency } from './run-message.ts';
import { noteSharedRun } from './shared-filesystem/records.ts';

export interface AssignableRun {
  readonly uuid: string;
  readonly metadata: Metadata;
  readonly request: ResourceRequest;
  readonly nextEpoch: number;
  readonly isAnonymous: boolean;
}

export interface AssigningWorker extends NamedWorker {
  readonly sharesFilesystem: boolean;
}

/** `not now`: the run waits no more, or the worker takes no more. `odd`: something is wrong with the run itself. */
export type AssignOutcome =
  | { readonly kind: 'assigned' | 'not now' }
  | { readonly kind: 'odd'; readonly error: unknown };

/**
 * Gives runs to workers, with a few statements for all of them; one that is odd costs only itself.
 * @param given each run once, in the order in which workers with few starts left are to take them
 * @returns what became of each, in the order given
 * @throws only what ends the whole transaction (`endsTransaction`)
 */
export async function assignRuns(
  unit: UnitOfWork,
  entries: DependencyEntries,
  given: readonly { readonly run: AssignableRun; readonly worker: AssigningWorker }[],
  now: number,
): Promise<AssignOutcome[]> {
  const outcomes: AssignOutcome[] = [];
  for (const { run, worker } of given) {
    try {
      const taken = await attempt(unit, () => assignRun(unit, entries, run, worker, now));
      outcomes.push({ kind: taken ? 'assigned' : 'not now' });
    } catch (error) {
      if (endsTransaction(error)) throw error;
      outcomes.push({ kind: 'odd', error });
    }
  }
  return outcomes;
}

/** @returns whether the run was still waiting and now is the worker's */
export async function assignRun(
  unit: UnitOfWork,
  entries: DependencyEntries,
  run: AssignableRun,
  worker: AssigningWorker,
  now: number,
): Promise<boolean> {
  if (!(await takeStart(unit, worker))) return false;
  const row = await transition(unit, {
    uuid: run.uuid,
    type: 'run',
    expected: ['staged'],
    next: 'starting',
    changes: {
      metadata: { last_updated: epochSeconds(now), run_status: offered(run, worker) },
      nextEpoch: true,
    },
    now,
    event: history('assigned', (names) => `Given to ${names.worker}, which is asked to begin.`, {
      worker,
      attempt: run.nextEpoch,
    }),
  });
  if (row === undefined) {
    await giveStartBack(unit, worker);
    return false;
  }
  await unit.queries
    .insertInto('assignment')
    .values({
      run_uuid: run.uuid,
      user_id: worker.userId,
      worker_id: worker.workerId,
      epoch: row.epoch,
      assigned_at: now,
      started_at: null,
      reported_at: null,
      omissions: 0,
    })
    .execute();
  const dependencies = await messageDependencies(unit, entries, run.uuid);
  const { metadata, request } = run;
  await noteAction(unit, row, { metadata, request, inputs: dependencies }, worker);
  const message = runMessage(row, metadata, request, dependencies);
  if (worker.sharesFilesystem) {
    // The message follows when everything is in place; preempted runs go on where they were.
    const resumes = run.metadata['on_preemptible_worker'] === true;
    await noteSharedRun(unit, { uuid: run.uuid, epoch: row.epoch, message, resumes });
  } else {
    const { userId, workerId } = worker;
    await queueMessage(unit, now, { userId, workerId, runUuid: run.uuid, epoch: row.epoch, message });
  }
  return true;
}

/** What the run shows until the worker has begun. Whose worker it is would tell whose an anonymous run is. */
function offered(run: { isAnonymous: boolean }, worker: WorkerKey): string {
  return run.isAnonymous
    ? 'Offered to a worker that has not begun yet.'
    : `Offered to the worker ${worker.workerId}, which has not begun yet.`;
}

/**
 * Until the worker's next check-in says so itself, it has one start less. Answers whether it still takes runs.
 */
async function takeStart(unit: UnitOfWork, worker: WorkerKey): Promise<boolean> {
  const taken = await unit.queries
    .updateTable('worker')
    .set({ exit_after_num_runs: startsAfter(-1) })
    .where('user_id', '=', worker.userId)
    .where('worker_id', '=', worker.workerId)
    .where('is_terminating', '=', 0)
    .where('exit_after_num_runs', '>', 0)
    .executeTakeFirst();
  return Number(taken.numUpdatedRows) > 0;
}

async function giveStartBack(unit: UnitOfWork, worker: WorkerKey): Promise<void> {
  await unit.queries
    .updateTable('worker')
    .set({ exit_after_num_runs: startsAfter(1) })
    .where('user_id', '=', worker.userId)
    .where('worker_id', '=', worker.workerId)
    .execute();
}

/** Workers that start runs without end say so with a number nobody counts down to. */
function startsAfter(change: 1 | -1) {
  return sql<number>`case when exit_after_num_runs < ${countedStarts} then exit_after_num_runs + ${change} else exit_after_num_runs end`;
}

export async function messageDependencies(
  unit: UnitOfWork,
  entries: DependencyEntries,
  uuid: string,
): Promise<(MessageDependency & KnownInput)[]> {
  const rows = await unit.queries
    .selectFrom('dependency')
    .leftJoin('bundle as parent', 'parent.uuid', 'dependency.parent_uuid')
    .select([
      'dependency.child_path',
      'dependency.parent_uuid',
      'dependency.parent_path',
      'parent.name as parent_name',
      'parent.root_entry',
      'parent.contents_digest',
    ])
    .where('dependency.child_uuid', '=', uuid)
    .orderBy('dependency.id')
    .execute();
  return rows.map((row) => {
    const parent = {
      uuid: row.parent_uuid,
      root_entry: row.root_entry ?? null,
      contents_digest: row.contents_digest ?? null,
    };
    return {
      child_path: row.child_path,
      parent_uuid: row.parent_uuid,
      parent_path: row.parent_path,
      parent_name: row.parent_name,
      entry: entries.known(parent, row.parent_path),
      input: entries.knownInput(parent, row.parent_path),
    };
  });
}
