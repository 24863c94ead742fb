/* Gives a staged run to a worker: state, assignment and message in one transaction (execution.md §13.5). */
import type { Metadata, ResourceRequest } from '@sheaf/domain';
import { sql } from 'kysely';
import { transition } from '../bundles/transition.ts';
import type { DependencyEntries } from '../contents/dependency-entries.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { queueMessage } from '../workers/message-queue.ts';
import { workerKeyText, type WorkerKey } from '../workers/worker-key.ts';
import { history } from './history.ts';
import { epochSeconds } from './metadata.ts';
import { noteAction, type KnownInput } from './run-action.ts';
import { runMessage, type MessageDependency } from './run-message.ts';
import { noteSharedRun } from './shared-filesystem/records.ts';

/** @returns whether the run was still waiting and now is the worker's */
export async function assignRun(
  unit: UnitOfWork,
  entries: DependencyEntries,
  run: { uuid: string; metadata: Metadata; request: ResourceRequest; nextEpoch: number },
  worker: WorkerKey & { readonly sharesFilesystem: boolean },
  now: number,
): Promise<boolean> {
  const row = await transition(unit, {
    uuid: run.uuid,
    type: 'run',
    expected: ['staged'],
    next: 'starting',
    changes: { metadata: { last_updated: epochSeconds(now) }, nextEpoch: true },
    now,
    event: history('assigned', `Given to the worker ${worker.workerId}.`, {
      worker: workerKeyText(worker),
      epoch: run.nextEpoch,
    }),
  });
  if (row === undefined) return false;
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
  // Until the worker's next check-in says so itself, it has one start less.
  await unit.queries
    .updateTable('worker')
    .set({ exit_after_num_runs: sql<number>`exit_after_num_runs - 1` })
    .where('user_id', '=', worker.userId)
    .where('worker_id', '=', worker.workerId)
    .execute();
  const dependencies = await messageDependencies(unit, entries, run.uuid);
  const message = runMessage(row, run.metadata, run.request, dependencies);
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

async function messageDependencies(
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
