/* Who holds a run now, and who held it last. */
import type { Holder } from '@sheaf/domain';
import type { Selectable } from 'kysely';
import { z } from 'zod';
import { inChunks } from '../database/chunks.ts';
import type { Queries, TransactionQueries } from '../database/database.ts';
import type { AssignmentTable } from '../database/schema.ts';
import { workerKeyText, type WorkerKey } from '../workers/worker-key.ts';

export type AssignmentRow = Selectable<AssignmentTable>;
type AnyQueries = Queries | TransactionQueries;

export async function findAssignment(
  queries: AnyQueries,
  runUuid: string,
): Promise<AssignmentRow | undefined> {
  return await queries
    .selectFrom('assignment')
    .selectAll()
    .where('run_uuid', '=', runUuid)
    .executeTakeFirst();
}

export async function assignmentsOfRuns(
  queries: AnyQueries,
  runUuids: Iterable<string>,
): Promise<Map<string, AssignmentRow>> {
  const rows = await inChunks(runUuids, (chunk) =>
    queries.selectFrom('assignment').selectAll().where('run_uuid', 'in', chunk).execute(),
  );
  return new Map(rows.map((row) => [row.run_uuid, row]));
}

export async function assignmentsOfWorker(queries: AnyQueries, worker: WorkerKey): Promise<AssignmentRow[]> {
  return await queries
    .selectFrom('assignment')
    .selectAll()
    .where('user_id', '=', worker.userId)
    .where('worker_id', '=', worker.workerId)
    .execute();
}

export function holderOf(assignment: AssignmentRow): Holder {
  return { worker: workerKeyText(workerOf(assignment)), epoch: assignment.epoch };
}

export function workerOf(assignment: Pick<AssignmentRow, 'user_id' | 'worker_id'>): WorkerKey {
  return { userId: assignment.user_id, workerId: assignment.worker_id };
}

const assigned = z.object({ worker: z.string(), epoch: z.number() });

/** The holder of the newest attempt, from the run's history. */
export async function lastHolder(queries: AnyQueries, runUuid: string): Promise<Holder | null> {
  const row = await queries
    .selectFrom('bundle_event')
    .select('details')
    .where('bundle_uuid', '=', runUuid)
    .where('kind', '=', 'assigned')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (row === undefined) return null;
  const parsed = assigned.safeParse(JSON.parse(row.details));
  return parsed.success ? parsed.data : null;
}
