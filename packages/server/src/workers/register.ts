/* The record of a worker, as its last check-in describes it (execution.md §4.3). */
import { write } from '../database/unanswered.ts';
import type { CheckinRequest } from '@sheaf/wire';
import { SheafError } from '@sheaf/wire';
import { sql, type Selectable } from 'kysely';
import { resolveGroupForWorker } from '../accounts/groups.ts';
import { givenRows } from '../database/given-rows.ts';
import type { WorkerTable } from '../database/schema.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { givenWorkers } from './given-workers.ts';
import { openSocket } from './sockets.ts';
import { workerKeyText, type WorkerKey } from './worker-key.ts';
import { runtimeOf } from './worker-record.ts';

export type WorkerRow = Selectable<WorkerTable>;

const longestTag = 127;
/** From this number on a worker starts runs without end, and nobody counts them. */
export const countedStarts = 1_000_000;
/** More free disk than this since the last check-in may let a waiting run start. */
const noticeableDisk = 1024 ** 3;

/**
 * Inserts or updates the worker; its first check-in gives it a mailbox number. Announces `worker.changed` only when runs that
 * wait may now find a place, or the worker is new or was away.
 * @param workerTimeout milliseconds of silence after which nothing is planned with a worker
 */
export async function registerWorker(
  unit: UnitOfWork,
  worker: WorkerKey,
  request: CheckinRequest,
  { now, workerTimeout }: { now: number; workerTimeout: number },
): Promise<WorkerRow> {
  const before = await findWorker(unit, worker);
  const row: WorkerRow = {
    ...rowFrom(worker, request, now),
    exit_after_num_runs: await startsLeft(unit, worker, request),
    group_uuid: await groupOf(unit, worker, request.group_name),
    dependencies: JSON.stringify(request.dependencies),
    runtime: JSON.stringify(request.runtime ?? null),
    socket_id: before?.socket_id ?? (await openSocket(unit, worker, null, now)),
    revision: (before?.revision ?? 0) + 1,
  };
  const values = {
    ...row,
    dependencies: unit.dialect.json_(request.dependencies),
    runtime:
      request.runtime === undefined || request.runtime === null ? null : unit.dialect.json_(request.runtime),
  };
  await unit.queries
    .insertInto('worker')
    .values(values)
    .onConflict((conflict) =>
      conflict
        .columns(['user_id', 'worker_id'])
        .doUpdateSet({ ...values, revision: sql<number>`worker.revision + 1` }),
    )
    .execute();
  const wasAway = before === undefined || before.checkin_at <= now - workerTimeout;
  if (wasAway || offersMore(before, row)) unit.announce({ type: 'worker.changed', ...worker });
  return row;
}

export async function findWorker(unit: UnitOfWork, worker: WorkerKey): Promise<WorkerRow | undefined> {
  return await unit.queries
    .selectFrom('worker')
    .selectAll()
    .where('user_id', '=', worker.userId)
    .where('worker_id', '=', worker.workerId)
    .executeTakeFirst();
}

/** Those that are known, by the text of their keys. */
export async function findWorkers(
  unit: UnitOfWork,
  workers: Iterable<WorkerKey>,
): Promise<ReadonlyMap<string, WorkerRow>> {
  const { rows } = await sql<WorkerRow>`select worker.* from ${givenWorkers(unit.dialect, workers)} as wanted
    join worker on worker.user_id = wanted.of_user and worker.worker_id = wanted.of_worker`.execute(
    unit.queries,
  );
  return new Map(rows.map((row) => [workerKeyText({ userId: row.user_id, workerId: row.worker_id }), row]));
}

/** The worker was heard of, and says nothing new but, perhaps, how much room it has (bytes). */
export interface Touch {
  readonly worker: WorkerKey;
  readonly freeDisk: number | null;
}

/** Notes that workers were heard of. Rows are locked in the order of their keys. */
export async function touchWorkers(unit: UnitOfWork, touches: readonly Touch[], now: number): Promise<void> {
  if (touches.length === 0) return;
  const given = givenRows(
    unit.dialect,
    { of_user: 'text', of_worker: 'text', disk_now: 'integer' },
    touches.map(({ worker, freeDisk }) => ({
      of_user: worker.userId,
      of_worker: worker.workerId,
      disk_now: freeDisk,
    })),
  );
  await write(
    unit,
    sql`update worker set checkin_at = ${now}, free_disk_bytes = disk_now
    from (select given.* from ${given} as given
      join worker as heard on heard.user_id = given.of_user and heard.worker_id = given.of_worker
      order by heard.user_id, heard.worker_id ${unit.dialect.rowLock}) as given
    where worker.user_id = of_user and worker.worker_id = of_worker`,
  );
}

/**
 * Whether a check-in would change nothing in the row but the time and the free disk, and gives no waiting run more room. What is not
 * compared here are its group and its lists (`KnownDescriptions`).
 */
export function saysTheSame(row: WorkerRow, worker: WorkerKey, request: CheckinRequest): boolean {
  if (Math.round(request.exit_after_num_runs) < countedStarts) return false;
  const after = rowFrom(worker, request, row.checkin_at);
  const now = { ...row, ...after, exit_after_num_runs: Math.round(request.exit_after_num_runs) };
  const keys = Object.keys(now) as (keyof WorkerRow)[];
  return keys.every((key) => key === 'free_disk_bytes' || now[key] === row[key]) && !offersMoreDisk(row, now);
}

function rowFrom(
  worker: WorkerKey,
  request: CheckinRequest,
  now: number,
): Omit<
  WorkerRow,
  'group_uuid' | 'socket_id' | 'dependencies' | 'runtime' | 'exit_after_num_runs' | 'revision'
> {
  return {
    user_id: worker.userId,
    worker_id: worker.workerId,
    checkin_at: now,
    tag:
      request.tag === undefined || request.tag === null || request.tag === ''
        ? null
        : request.tag.slice(0, longestTag),
    cpus: request.cpus,
    gpus: request.gpus,
    memory_bytes: Math.round(request.memory_bytes),
    free_disk_bytes:
      request.free_disk_bytes === undefined || request.free_disk_bytes === null
        ? null
        : Math.round(request.free_disk_bytes),
    shared_file_system: flag(request.shared_file_system),
    tag_exclusive: flag(request.tag_exclusive),
    is_terminating: flag(request.is_terminating),
    preemptible: flag(request.preemptible),
    hostname: request.hostname ?? null,
    protocol: request.protocol ?? 1,
    slots: request.slots ?? null,
    version: request.version ?? null,
    instance: request.instance ?? null,
  };
}

function flag(value: boolean): number {
  return value ? 1 : 0;
}

/** Only a group of the worker's owner; an unknown name shares with nobody, and so does none (execution.md §4.3). */
async function groupOf(
  unit: UnitOfWork,
  worker: WorkerKey,
  name: string | null | undefined,
): Promise<string | null> {
  if (name === undefined || name === null || name === '') return null;
  try {
    return (await resolveGroupForWorker(unit.queries, worker.userId, name)).uuid;
  } catch (error) {
    if (error instanceof SheafError) return null;
    throw error;
  }
}

/** A worker counts what it has started; what it was given and has not begun yet, it will start besides (execution.md §13.5). */
async function startsLeft(unit: UnitOfWork, worker: WorkerKey, request: CheckinRequest): Promise<number> {
  const said = Math.round(request.exit_after_num_runs);
  if (said >= countedStarts) return said;
  const { given } = await unit.queries
    .selectFrom('assignment')
    .select((of) => of.fn.countAll<number>().as('given'))
    .where('user_id', '=', worker.userId)
    .where('worker_id', '=', worker.workerId)
    .where('started_at', 'is', null)
    .executeTakeFirstOrThrow();
  return Math.max(0, said - Number(given));
}

function offersMore(before: WorkerRow, after: WorkerRow): boolean {
  const plain = [
    'tag',
    'group_uuid',
    'cpus',
    'gpus',
    'memory_bytes',
    'shared_file_system',
    'tag_exclusive',
    'is_terminating',
    'slots',
    'protocol',
  ] as const;
  if (plain.some((key) => before[key] !== after[key])) return true;
  if (runtimeOf(before)?.images !== runtimeOf(after)?.images) return true;
  if (after.exit_after_num_runs > before.exit_after_num_runs) return true;
  return offersMoreDisk(before, after);
}

function offersMoreDisk(before: WorkerRow, after: WorkerRow): boolean {
  const disk = (row: WorkerRow) => row.free_disk_bytes ?? Number.POSITIVE_INFINITY;
  return disk(after) > disk(before) + noticeableDisk || (disk(after) > 0 && disk(before) === 0);
}
