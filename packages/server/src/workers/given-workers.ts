import type { RawBuilder } from 'kysely';
import type { SqlDialect } from '../database/database.ts';
import { givenRows } from '../database/given-rows.ts';
import { workerKeyText, type WorkerKey } from './worker-key.ts';

/** A table of workers to look for, each once, with the columns `of_user` and `of_worker`. */
export function givenWorkers(
  dialect: SqlDialect,
  workers: Iterable<WorkerKey>,
): RawBuilder<{ of_user: string; of_worker: string }> {
  const distinct = new Map([...workers].map((worker) => [workerKeyText(worker), worker]));
  return givenRows(
    dialect,
    { of_user: 'text', of_worker: 'text' },
    [...distinct.values()].map(({ userId, workerId }) => ({ of_user: userId, of_worker: workerId })),
  );
}
