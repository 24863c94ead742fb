/* Who holds a run now, and who held it last. */
import type { Holder } from '@sheaf/domain';
import { sql, type Selectable } from 'kysely';
import { z } from 'zod';
import type { Queries, TransactionQueries } from '../database/database.ts';
import { givenTexts } from '../database/given-rows.ts';
import type { AssignmentTable } from '../database/schema.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { workerKeyText, type WorkerKey } from '../workers/worker-key.ts';
import type { NamedWorker } from './history.ts';
import { readableJson } from '../database/readable-json.ts';

export type AssignmentRow = Selectable<AssignmentTable>;
/** All columns, for rows that are inserted. */
export const assignmentColumns = {
  run_uuid: 'text',
  user_id: 'text',
  worker_id: 'text',
  epoch: 'integer',
  assigned_at: 'integer',
  started_at: 'integer',
  reported_at: 'integer',
  omissions: 'integer',
} as const;

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
  unit: UnitOfWork,
  runUuids: Iterable<string>,
): Promise<Map<string, AssignmentRow>> {
  const { rows } =
    await sql<AssignmentRow>`select assignment.* from ${givenTexts(unit.dialect, runUuids)} as wanted
    join assignment on assignment.run_uuid = wanted.given`.execute(unit.queries);
  return new Map(rows.map((row) => [row.run_uuid, row]));
}

/** The workers that hold runs, with the names of their machines, by run. */
export async function holdersOf(
  unit: UnitOfWork,
  runUuids: Iterable<string>,
): Promise<Map<string, NamedWorker>> {
  interface HolderRow {
    readonly run_uuid: string;
    readonly user_id: string;
    readonly worker_id: string;
    readonly hostname: string | null;
  }
  const { rows } =
    await sql<HolderRow>`select assignment.run_uuid, assignment.user_id, assignment.worker_id, worker.hostname
    from ${givenTexts(unit.dialect, runUuids)} as wanted join assignment on assignment.run_uuid = wanted.given
      left join worker on worker.user_id = assignment.user_id and worker.worker_id = assignment.worker_id`.execute(
      unit.queries,
    );
  return new Map(rows.map(({ run_uuid: uuid, hostname, ...row }) => [uuid, { ...workerOf(row), hostname }]));
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

const holding = z.object({
  worker: z.string(),
  epoch: z.number(),
  failure_cause: z.string().optional(),
});

/**
 * The holder of the newest attempt, from the run's history; null where that worker has let go of the run by its own word. What it
 * still says about it has been overtaken, or is a repetition.
 */
export async function lastHolder(queries: AnyQueries, runUuid: string): Promise<Holder | null> {
  const rows = await queries
    .selectFrom('bundle_event')
    .select(['kind', 'details'])
    .where('bundle_uuid', '=', runUuid)
    .where('kind', 'in', ['assigned', 'restaged', 'returned', 'preempted'])
    .orderBy('id', 'desc')
    .limit(2)
    .execute();
  for (const { kind, details } of rows) {
    const event = holding.safeParse(readableJson(details)).data;
    if (kind === 'assigned') return event === undefined ? null : { worker: event.worker, epoch: event.epoch };
    if (kind === 'returned' || event?.failure_cause !== undefined) return null;
  }
  return null;
}
