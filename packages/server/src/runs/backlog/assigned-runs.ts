/* What the runs that workers have take from them, kept between passes: a run's share never changes while it has the same attempt. */
import { askedOf, resolveRequest, type RequestSettings } from '@sheaf/domain';
import { inChunks } from '../../database/chunks.ts';
import type { UnitOfWork } from '../../database/unit-of-work.ts';
import { workerKeyText, type WorkerKey } from '../../workers/worker-key.ts';
import { readableMetadata } from '../damage.ts';

export interface AssignedRun {
  readonly workerKey: string;
  readonly workerOwner: string;
  readonly runOwner: string;
  readonly epoch: number;
  readonly cpus: number;
  readonly gpus: number;
  /** Bytes. */
  readonly memory: number;
}

interface Row {
  readonly run_uuid: string;
  readonly user_id: string;
  readonly worker_id: string;
  readonly epoch: number;
  readonly owner_id: string | null;
}

export class AssignedRuns {
  readonly #settings: RequestSettings;
  readonly #known = new Map<string, AssignedRun>();

  constructor(settings: RequestSettings) {
    this.#settings = settings;
  }

  has(uuid: string): boolean {
    return this.#known.has(uuid);
  }

  get all(): ReadonlyMap<string, AssignedRun> {
    return this.#known;
  }

  /** Runs the worker has, as far as is known. */
  of(worker: WorkerKey): string[] {
    const wanted = workerKeyText(worker);
    return [...this.#known].flatMap(([uuid, { workerKey }]) => (workerKey === wanted ? [uuid] : []));
  }

  /** Looks again at some runs, or at all there are. */
  async refresh(unit: UnitOfWork, uuids: ReadonlySet<string> | 'all'): Promise<void> {
    const assigned = unit.queries
      .selectFrom('assignment')
      .innerJoin('bundle', 'bundle.uuid', 'assignment.run_uuid')
      .select([
        'assignment.run_uuid',
        'assignment.user_id',
        'assignment.worker_id',
        'assignment.epoch',
        'bundle.owner_id',
      ]);
    const rows: Row[] =
      uuids === 'all'
        ? await assigned.execute()
        : await inChunks(uuids, (chunk) => assigned.where('run_uuid', 'in', chunk).execute());
    const there = new Map(rows.map((row) => [row.run_uuid, row]));
    for (const uuid of uuids === 'all' ? this.#known.keys() : uuids)
      if (!there.has(uuid)) this.#known.delete(uuid);
    const news = rows.filter((row) => !isSame(this.#known.get(row.run_uuid), row));
    const metadata = await inChunks(
      news.map((row) => row.run_uuid),
      (chunk) =>
        unit.queries.selectFrom('bundle').select(['uuid', 'metadata']).where('uuid', 'in', chunk).execute(),
    );
    const byUuid = new Map(metadata.map((row) => [row.uuid, row]));
    for (const row of news) this.#known.set(row.run_uuid, this.#share(row, byUuid.get(row.run_uuid)));
  }

  #share(row: Row, bundle: { metadata: string } | undefined): AssignedRun {
    const metadata = bundle === undefined ? undefined : readableMetadata(bundle);
    // Limits by quota do not matter here: only cores, GPUs and memory are booked. What cannot be read counts as a small run.
    const request = resolveRequest(askedOf(metadata ?? {}), this.#settings, { time: 0, disk: 0 });
    return {
      workerKey: keyOf(row),
      workerOwner: row.user_id,
      runOwner: row.owner_id ?? '',
      epoch: row.epoch,
      cpus: request.ok ? request.value.cpus : 1,
      gpus: request.ok ? request.value.gpus : 0,
      memory: request.ok ? request.value.memory : 0,
    };
  }
}

function keyOf(row: Row): string {
  return workerKeyText({ userId: row.user_id, workerId: row.worker_id });
}

function isSame(known: AssignedRun | undefined, row: Row): boolean {
  return (
    known !== undefined &&
    known.epoch === row.epoch &&
    known.workerKey === keyOf(row) &&
    known.runOwner === (row.owner_id ?? '')
  );
}
