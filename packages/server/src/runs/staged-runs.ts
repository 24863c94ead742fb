/* The runs that wait for a worker, as the plan sees them (execution.md §13). */
import {
  dependencyCacheKey,
  failure,
  resolveRequest,
  type Metadata,
  type PlanDependency,
  type RequestSettings,
  type StagedRun,
} from '@sheaf/domain';
import type { Selectable } from 'kysely';
import { z } from 'zod';
import type { DependencyEntries } from '../contents/dependency-entries.ts';
import { inChunks } from '../database/chunks.ts';
import type { BundleTable } from '../database/schema.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { damagedRecord, readableMetadata } from './damage.ts';
import { readableJson } from '../database/readable-json.ts';

const restarted = z.object({ worker: z.string().optional(), failure_cause: z.string().optional() });

/** Restarts of one run from the same worker after which it goes elsewhere for a while (execution.md §31.4). */
const restartsBeforeAvoiding = 3;
const avoidedFor = 60 * 60 * 1000;
/** A worker that could not execute a run does not get it back at once: engines come back, and other workers may be free. */
const firstPause = 5000;
const longerEachTime = 2;

export interface QuotaLeft {
  /** Seconds. */
  time: number;
  /** Bytes. */
  disk: number;
}

export interface WaitingRun {
  readonly row: Selectable<BundleTable>;
  /** Undefined where they cannot be read. */
  readonly metadata: Metadata | undefined;
  readonly dependencies: readonly PlanDependency[];
}

/** Keeps what was read about waiting runs, so that a pass costs what changed and not what waits. */
export class StagedRuns {
  #known = new Map<string, WaitingRun>();

  readonly #entries: DependencyEntries;

  constructor(entries: DependencyEntries) {
    this.#entries = entries;
  }

  /** All staged runs in creation order. */
  async read(unit: UnitOfWork): Promise<WaitingRun[]> {
    const present = await unit.queries
      .selectFrom('bundle')
      .select(['uuid', 'version'])
      .where('state', '=', 'staged')
      .where('bundle_type', '=', 'run')
      .orderBy('id')
      .execute();
    const stale = present.filter(({ uuid, version }) => this.#known.get(uuid)?.row.version !== version);
    const fresh = await readRuns(
      unit,
      this.#entries,
      stale.map(({ uuid }) => uuid),
    );
    const known = new Map<string, WaitingRun>();
    for (const { uuid } of present) {
      const run = fresh.get(uuid) ?? this.#known.get(uuid);
      if (run !== undefined) known.set(uuid, run);
    }
    this.#known = known;
    return [...known.values()];
  }
}

async function readRuns(
  unit: UnitOfWork,
  entries: DependencyEntries,
  uuids: readonly string[],
): Promise<Map<string, WaitingRun>> {
  const rows = await inChunks(uuids, (chunk) =>
    unit.queries.selectFrom('bundle').selectAll().where('uuid', 'in', chunk).execute(),
  );
  const dependencies = await readDependencies(unit, entries, uuids);
  return new Map(
    rows.map((row) => [
      row.uuid,
      { row, metadata: readableMetadata(row), dependencies: dependencies.get(row.uuid) ?? [] },
    ]),
  );
}

async function readDependencies(
  unit: UnitOfWork,
  entries: DependencyEntries,
  uuids: readonly string[],
): Promise<Map<string, PlanDependency[]>> {
  const rows = await inChunks(uuids, (chunk) =>
    unit.queries
      .selectFrom('dependency')
      .leftJoin('bundle as parent', 'parent.uuid', 'dependency.parent_uuid')
      .select([
        'dependency.child_uuid',
        'dependency.parent_uuid',
        'dependency.parent_path',
        'parent.data_size',
        'parent.root_entry',
        'parent.contents_digest',
      ])
      .where('dependency.child_uuid', 'in', chunk)
      .execute(),
  );
  const byChild = new Map<string, PlanDependency[]>();
  for (const row of rows) {
    const key = dependencyCacheKey(row.parent_uuid, row.parent_path);
    const bytes = dependencyBytes(entries, row);
    const known = byChild.get(row.child_uuid);
    if (known === undefined) byChild.set(row.child_uuid, [{ key, bytes }]);
    // Mounted twice, it still travels once.
    else if (!known.some((other) => other.key === key)) known.push({ key, bytes });
  }
  return byChild;
}

/** What a worker without it has to fetch; a part of a parent whose size is not known counts as the whole parent. */
function dependencyBytes(
  entries: DependencyEntries,
  row: {
    parent_path: string;
    data_size: number | null;
    root_entry: string | null;
    contents_digest: string | null;
  },
): number {
  const part = row.parent_path === '' ? undefined : entries.known(row, row.parent_path);
  if (part === undefined) return row.data_size ?? 0;
  return part.kind === 'link' ? 0 : part.size;
}

/** @param left what is left of the owner's quota. */
export function planRun(
  run: WaitingRun,
  settings: RequestSettings,
  left: QuotaLeft,
  more: { avoid: ReadonlySet<string> | undefined; controllers: ReadonlySet<string> | undefined },
): StagedRun {
  return {
    uuid: run.row.uuid,
    ownerId: run.row.owner_id ?? '',
    request:
      run.metadata === undefined ? failure(damagedRecord) : resolveRequest(run.metadata, settings, left),
    dependencies: run.dependencies,
    avoid: more.avoid ?? none,
    controllers: more.controllers ?? none,
  };
}

const none: ReadonlySet<string> = new Set();

export interface Restarts {
  /** How often each run went back because it could not start. */
  readonly counts: ReadonlyMap<string, number>;
  /** Keys of workers to avoid, by run. */
  readonly avoid: ReadonlyMap<string, ReadonlySet<string>>;
  /** Milliseconds until the first of them need not be avoided any more; undefined where none is. */
  readonly changesIn: number | undefined;
}

interface Failures {
  count: number;
  /** Those in which the run began, and the worker could not execute it. */
  spoilt: number;
  lastSpoiltAt: number;
}

/** Only runs that were assigned before can have been restarted. */
export async function readRestarts(
  unit: UnitOfWork,
  runs: readonly WaitingRun[],
  now: number,
): Promise<Restarts> {
  const tried = runs.filter(({ row }) => row.epoch > 0).map(({ row }) => row.uuid);
  const rows = await inChunks(tried, (chunk) =>
    unit.queries
      .selectFrom('bundle_event')
      .select(['bundle_uuid', 'at', 'details'])
      .where('bundle_uuid', 'in', chunk)
      .where('kind', '=', 'restaged')
      .orderBy('id')
      .execute(),
  );
  const counts = new Map<string, number>();
  const byWorker = new Map<string, Map<string, Failures>>();
  for (const row of rows) {
    counts.set(row.bundle_uuid, (counts.get(row.bundle_uuid) ?? 0) + 1);
    const event = restarted.safeParse(readableJson(row.details)).data;
    if (event?.worker === undefined || row.at < now - avoidedFor) continue;
    const workers = byWorker.get(row.bundle_uuid) ?? new Map<string, Failures>();
    const failures = workers.get(event.worker) ?? { count: 0, spoilt: 0, lastSpoiltAt: 0 };
    failures.count += 1;
    if (event.failure_cause !== undefined) {
      failures.spoilt += 1;
      failures.lastSpoiltAt = row.at;
    }
    workers.set(event.worker, failures);
    byWorker.set(row.bundle_uuid, workers);
  }
  const avoid = new Map<string, ReadonlySet<string>>();
  let changesIn: number | undefined;
  for (const [uuid, workers] of byWorker) {
    const avoided = new Set<string>();
    for (const [key, failures] of workers) {
      const pause = pauseLeft(failures, now);
      if (failures.count - failures.spoilt >= restartsBeforeAvoiding) avoided.add(key);
      if (pause <= 0) continue;
      avoided.add(key);
      changesIn = Math.min(changesIn ?? pause, pause);
    }
    if (avoided.size > 0) avoid.set(uuid, avoided);
  }
  return { counts, avoid, changesIn };
}

/** Milliseconds for which the worker is to be avoided yet. A failure that lies in the future was noted by a wrong clock. */
function pauseLeft({ spoilt, lastSpoiltAt }: Failures, now: number): number {
  if (spoilt === 0 || lastSpoiltAt > now) return 0;
  return lastSpoiltAt + firstPause * longerEachTime ** (spoilt - 1) - now;
}
