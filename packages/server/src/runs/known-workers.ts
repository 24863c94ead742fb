/*
 * Workers as the plan needs them. What they say of themselves changes seldom and is long; it is read once, and again when it has
 * changed. Whoever changes it elsewhere, on another server too, raises the revision of the record.
 */
import { dependencyCacheKey } from '@sheaf/domain';
import { sql, type Selectable } from 'kysely';
import type { WorkerTable } from '../database/schema.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { givenWorkers } from '../workers/given-workers.ts';
import { workerKeyText, type WorkerKey } from '../workers/worker-key.ts';
import { cachedDependenciesOf, runtimeOf } from '../workers/worker-record.ts';

export type WorkerRow = Selectable<WorkerTable>;

/** A worker with what is found in its record. */
export interface PlannedWorker {
  readonly key: string;
  readonly row: WorkerRow;
  /** Whether it runs commands in images. */
  readonly images: boolean;
  /** Keys of dependencies it has. */
  readonly cachedDependencies: ReadonlySet<string>;
}

/** What changes without a new revision, and what tells one record from another. */
type Glance = Pick<
  WorkerRow,
  | 'user_id'
  | 'worker_id'
  | 'socket_id'
  | 'revision'
  | 'checkin_at'
  | 'free_disk_bytes'
  | 'exit_after_num_runs'
>;

const nothing: ReadonlySet<string> = new Set();

export class KnownWorkers {
  #known = new Map<string, PlannedWorker>();

  /** All workers, in the order of their keys, as they are now. */
  async read(unit: UnitOfWork): Promise<PlannedWorker[]> {
    const glances: Glance[] = await unit.queries
      .selectFrom('worker')
      .select([
        'user_id',
        'worker_id',
        'socket_id',
        'revision',
        'checkin_at',
        'free_disk_bytes',
        'exit_after_num_runs',
      ])
      .orderBy('user_id')
      .orderBy('worker_id')
      .execute();
    const changed = glances.filter((glance) => !isSame(this.#known.get(keyOf(glance))?.row, glance));
    const news = await readRecords(unit, changed.map(keysOf), this.#known);
    const before = this.#known;
    const now = new Map<string, PlannedWorker>();
    for (const glance of glances) {
      const key = keyOf(glance);
      const worker = news.get(key) ?? before.get(key);
      // One that is new may have gone between the two statements.
      if (worker !== undefined) now.set(key, brought(worker, glance));
    }
    this.#known = now;
    return [...now.values()];
  }
}

function isSame(row: WorkerRow | undefined, glance: Glance): boolean {
  return row !== undefined && row.socket_id === glance.socket_id && row.revision === glance.revision;
}

function brought(worker: PlannedWorker, glance: Glance): PlannedWorker {
  const { row } = worker;
  const isSame =
    row.checkin_at === glance.checkin_at &&
    row.free_disk_bytes === glance.free_disk_bytes &&
    row.exit_after_num_runs === glance.exit_after_num_runs;
  return isSame ? worker : { ...worker, row: { ...row, ...glance, revision: row.revision } };
}

async function readRecords(
  unit: UnitOfWork,
  workers: readonly WorkerKey[],
  before: ReadonlyMap<string, PlannedWorker>,
): Promise<Map<string, PlannedWorker>> {
  if (workers.length === 0) return new Map();
  const { rows } = await sql<WorkerRow>`select worker.* from ${givenWorkers(unit.dialect, workers)} as wanted
    join worker on worker.user_id = wanted.of_user and worker.worker_id = wanted.of_worker`.execute(
    unit.queries,
  );
  return new Map(
    rows.map((row) => {
      const key = keyOf(row);
      const was = before.get(key);
      const cachedDependencies =
        was?.row.dependencies === row.dependencies ? was.cachedDependencies : keysIn(row);
      return [key, { key, row, images: hasImages(row), cachedDependencies }];
    }),
  );
}

function hasImages(row: WorkerRow): boolean {
  // Original workers say nothing about it and have images; what cannot be read promises nothing.
  if (row.runtime === null) return true;
  const runtime = runtimeOf(row);
  return runtime === null || runtime?.images === true;
}

function keysIn({ dependencies }: WorkerRow): ReadonlySet<string> {
  const cached = cachedDependenciesOf({ dependencies });
  if (cached.length === 0) return nothing;
  return new Set(cached.map(([uuid, path]) => dependencyCacheKey(uuid, path)));
}

function keysOf({ user_id: userId, worker_id: workerId }: Pick<WorkerRow, 'user_id' | 'worker_id'>) {
  return { userId, workerId };
}

function keyOf(row: Pick<WorkerRow, 'user_id' | 'worker_id'>): string {
  return workerKeyText(keysOf(row));
}
