/* Numbers under which a worker, or one question to it, is answered (execution.md §9). */
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { WorkerKey } from './worker-key.ts';

/** @param runUuid the run it is about; null for the mailbox of the worker itself */
export async function openSocket(
  unit: UnitOfWork,
  worker: WorkerKey,
  runUuid: string | null,
  now: number,
): Promise<number> {
  const { id } = await unit.queries
    .insertInto('socket')
    .values({ user_id: worker.userId, worker_id: worker.workerId, run_uuid: runUuid, created_at: now })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}
