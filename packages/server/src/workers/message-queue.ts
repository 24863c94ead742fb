/*
 * What the server wants workers to do, kept in a table until the worker has it (execution.md §31.2). Messages are queued in the
 * unit of work that caused them, so that a state never promises a message that does not exist.
 */
import { write } from '../database/unanswered.ts';
import { workerMessage, type WorkerMessage } from '@sheaf/wire';
import type { Queries, SqlDialect, TransactionQueries } from '../database/database.ts';
import { sql, type Selectable } from 'kysely';
import { readableJson } from '../database/readable-json.ts';
import { givenRows, givenTexts, insertRows } from '../database/given-rows.ts';
import type { MessageTable } from '../database/schema.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { givenWorkers } from './given-workers.ts';
import { workerKeyText, type WorkerKey } from './worker-key.ts';

export interface NewMessage extends WorkerKey {
  readonly runUuid: string;
  readonly epoch: number | null;
  readonly message: WorkerMessage;
  /** Milliseconds since the epoch; one-shot messages are dropped then. */
  readonly expiresAt?: number;
}

export interface QueuedMessage {
  readonly id: number;
  readonly runUuid: string;
  readonly type: WorkerMessage['type'];
  readonly message: WorkerMessage;
}

/**
 * Queues a message and wakes whoever holds a check-in of the worker, once the unit of work is committed.
 * @returns its id
 * @throws ZodError on a message that would confuse an original worker for an hour (execution.md §2)
 */
export async function queueMessage(unit: UnitOfWork, now: number, request: NewMessage): Promise<number> {
  const body = workerMessage.parse(request.message);
  const row = await unit.queries
    .insertInto('message')
    .values({
      user_id: request.userId,
      worker_id: request.workerId,
      run_uuid: request.runUuid,
      epoch: request.epoch,
      type: body.type,
      body: unit.dialect.json_(body),
      created_at: now,
      delivered_at: null,
      expires_at: request.expiresAt ?? null,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  unit.announce({ type: 'message.queued', userId: request.userId, workerId: request.workerId });
  return row.id;
}

/**
 * The same for many messages, in their order.
 * @throws ZodError as above; then none of them is queued
 */
export async function queueMessages(
  unit: UnitOfWork,
  now: number,
  requests: readonly NewMessage[],
): Promise<void> {
  const rows = requests.map((request) => {
    const body = workerMessage.parse(request.message);
    return {
      user_id: request.userId,
      worker_id: request.workerId,
      run_uuid: request.runUuid,
      epoch: request.epoch,
      type: body.type,
      body,
      created_at: now,
      delivered_at: null,
      expires_at: request.expiresAt ?? null,
    };
  });
  await insertRows(unit, 'message', messageColumns, rows);
  for (const { userId, workerId } of requests) unit.announce({ type: 'message.queued', userId, workerId });
}

const messageColumns = {
  user_id: 'text',
  worker_id: 'text',
  run_uuid: 'text',
  epoch: 'integer',
  type: 'text',
  body: 'json',
  created_at: 'integer',
  delivered_at: 'integer',
  expires_at: 'integer',
} as const;

/** All messages of a worker that are still worth delivering, oldest first. */
export async function queuedMessages(
  queries: Queries | TransactionQueries,
  worker: WorkerKey,
  now: number,
): Promise<QueuedMessage[]> {
  const rows = await queries
    .selectFrom('message')
    .select(['id', 'run_uuid', 'body'])
    .where('user_id', '=', worker.userId)
    .where('worker_id', '=', worker.workerId)
    .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', now)]))
    .orderBy('id')
    .execute();
  return rows.flatMap(readMessage);
}

/**
 * What was queued was checked then. One that is damaged now is left out, so that the worker hears of the others: who asked gets no
 * answer, and a run that is never begun goes back to the queue.
 */
function readMessage(row: { id: number; run_uuid: string; body: string }): QueuedMessage[] {
  const message = readableJson(row.body);
  return isMessage(message) ? [{ id: row.id, runUuid: row.run_uuid, type: message.type, message }] : [];
}

/** By hand, as it is asked of every message in every answer. */
function isMessage(value: unknown): value is WorkerMessage {
  if (typeof value !== 'object' || value === null || !('type' in value)) return false;
  if (value.type !== 'run') return 'uuid' in value && typeof value.uuid === 'string';
  const bundle = 'bundle' in value ? value.bundle : undefined;
  return typeof bundle === 'object' && bundle !== null && 'uuid' in bundle;
}

/** The same for many workers, by the text of their keys; those without any are missing. */
export async function messagesOfWorkers(
  queries: Queries | TransactionQueries,
  dialect: SqlDialect,
  workers: readonly WorkerKey[],
  now: number,
): Promise<Map<string, QueuedMessage[]>> {
  interface MessageRow {
    readonly id: number;
    readonly user_id: string;
    readonly worker_id: string;
    readonly run_uuid: string;
    readonly body: string;
  }
  const { rows } =
    await sql<MessageRow>`select message.id, message.user_id, message.worker_id, message.run_uuid, message.body
    from ${givenWorkers(dialect, workers)} as wanted join message
      on message.user_id = wanted.of_user and message.worker_id = wanted.of_worker
    where message.expires_at is null or message.expires_at > ${now} order by message.id`.execute(queries);
  const found = new Map<string, QueuedMessage[]>();
  for (const row of rows) {
    const key = workerKeyText({ userId: row.user_id, workerId: row.worker_id });
    const own = found.get(key) ?? [];
    found.set(key, own);
    own.push(...readMessage(row));
  }
  return found;
}

export async function markDelivered(unit: UnitOfWork, ids: readonly number[], now: number): Promise<void> {
  if (ids.length === 0) return;
  await unit.queries.updateTable('message').set({ delivered_at: now }).where('id', 'in', ids).execute();
}

/** Messages that are delivered once at most are gone before they are sent. */
export async function takeForGood(unit: UnitOfWork, ids: readonly number[]): Promise<void> {
  if (ids.length === 0) return;
  await unit.queries.deleteFrom('message').where('id', 'in', ids).execute();
  unit.announce({ type: 'message.taken', messageIds: ids });
}

/** An answer did not reach the worker: its messages count as not delivered. */
export async function markUndelivered(unit: UnitOfWork, ids: readonly number[]): Promise<void> {
  if (ids.length === 0) return;
  await unit.queries.updateTable('message').set({ delivered_at: null }).where('id', 'in', ids).execute();
}

/** The worker has these; answers those of them that were `run` messages. */
export async function acknowledge(
  unit: UnitOfWork,
  worker: WorkerKey,
  ids: readonly number[],
): Promise<{ runUuid: string; epoch: number | null }[]> {
  if (ids.length === 0) return [];
  const rows = await unit.queries
    .deleteFrom('message')
    .where('user_id', '=', worker.userId)
    .where('worker_id', '=', worker.workerId)
    .where('id', 'in', ids)
    .returning(['run_uuid', 'epoch', 'type'])
    .execute();
  return rows.filter((row) => row.type === 'run').map((row) => ({ runUuid: row.run_uuid, epoch: row.epoch }));
}

/** The same for many workers; only those are answered that had `run` messages. */
export async function acknowledgeAll(
  unit: UnitOfWork,
  acknowledged: readonly { readonly worker: WorkerKey; readonly id: number }[],
): Promise<{ worker: WorkerKey; runs: { runUuid: string; epoch: number | null }[] }[]> {
  if (acknowledged.length === 0) return [];
  const given = givenRows(
    unit.dialect,
    { of_id: 'integer', of_user: 'text', of_worker: 'text' },
    acknowledged.map(({ worker, id }) => ({ of_id: id, of_user: worker.userId, of_worker: worker.workerId })),
  );
  const { rows } = await sql<Selectable<MessageTable>>`delete from message where id in
      (select own.id from ${given} as wanted join message as own on own.id = wanted.of_id
        where own.user_id = wanted.of_user and own.worker_id = wanted.of_worker)
    returning user_id, worker_id, run_uuid, epoch, type`.execute(unit.queries);
  const had = new Map<string, { worker: WorkerKey; runs: { runUuid: string; epoch: number | null }[] }>();
  for (const row of rows.filter(({ type }) => type === 'run')) {
    const worker = { userId: row.user_id, workerId: row.worker_id };
    const own = had.get(workerKeyText(worker)) ?? { worker, runs: [] };
    had.set(workerKeyText(worker), own);
    own.runs.push({ runUuid: row.run_uuid, epoch: row.epoch });
  }
  return [...had.values()];
}

/**
 * Original workers finish with one answer before they send the next check-in: what was delivered is thereby acknowledged.
 */
export async function acknowledgeDelivered(
  unit: UnitOfWork,
  worker: WorkerKey,
): Promise<{ runUuid: string; epoch: number | null }[]> {
  const rows = await unit.queries
    .deleteFrom('message')
    .where('user_id', '=', worker.userId)
    .where('worker_id', '=', worker.workerId)
    .where('delivered_at', 'is not', null)
    .returning(['run_uuid', 'epoch', 'type'])
    .execute();
  return rows.filter((row) => row.type === 'run').map((row) => ({ runUuid: row.run_uuid, epoch: row.epoch }));
}

/** Drops what is queued about a run; only messages of the given types, where types are named. */
export async function dropMessagesOfRun(
  unit: UnitOfWork,
  runUuid: string,
  types?: readonly WorkerMessage['type'][],
): Promise<void> {
  let query = unit.queries.deleteFrom('message').where('run_uuid', '=', runUuid);
  if (types !== undefined) query = query.where('type', 'in', types);
  await query.execute();
}

/** The same for many runs. */
export async function dropMessagesOfRuns(
  unit: UnitOfWork,
  runUuids: readonly string[],
  type?: WorkerMessage['type'],
): Promise<void> {
  if (runUuids.length === 0) return;
  const these = sql`delete from message where run_uuid in (select given from ${givenTexts(unit.dialect, runUuids)} as runs)`;
  await write(unit, type === undefined ? these : sql`${these} and type = ${type}`);
}

/** Drops one message. Answers whether it was still there and had not been delivered. */
export async function withdrawMessage(unit: UnitOfWork, id: number): Promise<boolean> {
  const row = await unit.queries
    .deleteFrom('message')
    .where('id', '=', id)
    .returning('delivered_at')
    .executeTakeFirst();
  return row !== undefined && row.delivered_at === null;
}

export async function dropExpiredMessages(unit: UnitOfWork, now: number): Promise<void> {
  await unit.queries.deleteFrom('message').where('expires_at', '<=', now).execute();
}
