/*
 * How many runs workers still start: until a worker's next check-in says so itself, it has one less for each run it is given
 * (execution.md §13.5).
 */
import { write } from '../database/unanswered.ts';
import { sql, type RawBuilder } from 'kysely';
import { givenRows } from '../database/given-rows.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { givenWorkers } from '../workers/given-workers.ts';
import { countedStarts } from '../workers/register.ts';
import { workerKeyText, type WorkerKey } from '../workers/worker-key.ts';

interface StartsRow {
  readonly user_id: string;
  readonly worker_id: string;
  readonly exit_after_num_runs: number;
  readonly is_terminating: number;
}

const startsColumns = { user_id: 'text', worker_id: 'text', left_now: 'integer' } as const;

async function readStarts(
  unit: UnitOfWork,
  workers: readonly WorkerKey[],
  lock: RawBuilder<unknown>,
): Promise<StartsRow[]> {
  const { rows } = await sql<StartsRow>`select worker.user_id, worker.worker_id, worker.exit_after_num_runs,
      worker.is_terminating
    from ${givenWorkers(unit.dialect, workers)} as wanted
      join worker on worker.user_id = wanted.of_user and worker.worker_id = wanted.of_worker
    order by worker.user_id, worker.worker_id ${lock}`.execute(unit.queries);
  return rows;
}

export class WorkerStarts {
  readonly #left: Map<string, { readonly row: StartsRow; left: number }>;

  private constructor(rows: readonly StartsRow[]) {
    this.#left = new Map(
      rows.map((row) => [
        workerKeyText({ userId: row.user_id, workerId: row.worker_id }),
        { row, left: row.is_terminating === 0 ? row.exit_after_num_runs : 0 },
      ]),
    );
  }

  /**
   * Locks the rows of workers whose starts are counted, in the order of their keys, so that the numbers stay true until the unit of work
   * ends. The others are left alone: their check-ins write the same rows, and would wait for whole passes. One that says meanwhile
   * that it ends gives back what it was given.
   */
  static async read(unit: UnitOfWork, workers: readonly WorkerKey[]): Promise<WorkerStarts> {
    const all = await readStarts(unit, workers, sql``);
    const counted = all.filter(({ exit_after_num_runs: left }) => left < countedStarts);
    if (counted.length === 0) return new WorkerStarts(all);
    const keys = counted.map(({ user_id: userId, worker_id: workerId }) => ({ userId, workerId }));
    const locked = await readStarts(unit, keys, unit.dialect.rowLock);
    const others = all.filter(({ exit_after_num_runs: left }) => left >= countedStarts);
    return new WorkerStarts([...others, ...locked]);
  }

  /** Answers whether the worker takes one more run. */
  take(worker: WorkerKey): boolean {
    const known = this.#left.get(workerKeyText(worker));
    if (known === undefined || known.left <= 0) return false;
    known.left -= 1;
    return true;
  }

  giveBack(worker: WorkerKey): void {
    const known = this.#left.get(workerKeyText(worker));
    if (known !== undefined) known.left += 1;
  }

  /** Workers that start runs without end say so with a number nobody counts down to. */
  async write(unit: UnitOfWork): Promise<void> {
    const changed = [...this.#left.values()].filter(
      ({ row, left }) =>
        row.is_terminating === 0 &&
        row.exit_after_num_runs < countedStarts &&
        left !== row.exit_after_num_runs,
    );
    if (changed.length === 0) return;
    const given = givenRows(
      unit.dialect,
      startsColumns,
      changed.map(({ row, left }) => ({ user_id: row.user_id, worker_id: row.worker_id, left_now: left })),
    );
    await write(
      unit,
      sql`update worker set exit_after_num_runs = given.left_now from ${given} as given
      where worker.user_id = given.user_id and worker.worker_id = given.worker_id`,
    );
  }
}
