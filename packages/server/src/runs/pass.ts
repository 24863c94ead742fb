/*
 * One pass of the scheduler: what is due is staged, what cannot run fails, what fits a worker is given to it, and the others are
 * told why they wait. One unit of work, so that every decision is made on one view of the world and comes true as a whole.
 */
import { limitProblems, parallelRunsLeft, plan, type BundleType, type RequestSettings } from '@sheaf/domain';
import { sql } from 'kysely';
import { quotaOf } from '../accounts/quota.ts';
import { rootUserId, usersByIds, type UserRow } from '../accounts/users.ts';
import { transition } from '../bundles/transition.ts';
import type { DependencyEntries } from '../contents/dependency-entries.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { assignRun } from './assign.ts';
import { history } from './history.ts';
import {
  planWorkers,
  readAssignedRuns,
  readControllers,
  readSharing,
  readWorkers,
  type AssignedRun,
  type WorkerRow,
} from './plan-workers.ts';
import { mostRestarts } from './reports.ts';
import {
  planRun,
  readRestarts,
  type QuotaLeft,
  type Restarts,
  type StagedRuns,
  type WaitingRun,
} from './staged-runs.ts';
import { stageCreated, type StagingCandidates } from './staging.ts';
import { workerKeyText } from '../workers/worker-key.ts';

/** Any number that no other lock uses: with several servers on one database, one plans at a time. */
const passLock = 0x5ced;

export interface PassContext {
  readonly settings: RequestSettings;
  /** Milliseconds without contact after which a worker gets no more runs. */
  readonly workerTimeout: number;
  readonly entries: DependencyEntries;
  readonly stagedRuns: StagedRuns;
  /** Whether contents can be laid out for workers that share the server's filesystem. */
  readonly laysOut: boolean;
  /** Orders equally good workers. */
  readonly chance: () => number;
}

export interface PassResult {
  readonly staged: number;
  readonly failed: number;
  readonly assigned: number;
  /** Make bundles that can be made now. */
  readonly makes: readonly string[];
  /** Reasons that have changed and are still to be written. */
  readonly moreReasons: boolean;
  /** Versions this pass gave to bundles that stay staged, so that its own notes are not taken for news. */
  readonly noted: ReadonlyMap<string, number>;
}

export async function schedulerPass(
  unit: UnitOfWork,
  context: PassContext,
  candidates: StagingCandidates,
  now: number,
): Promise<PassResult> {
  if (unit.dialect.name === 'postgresql')
    await sql`select pg_advisory_xact_lock(${passLock})`.execute(unit.queries);
  const staged = await stageCreated(unit, candidates, now);
  const makes = await unit.queries
    .selectFrom('bundle')
    .select('uuid')
    .where('state', '=', 'staged')
    .where('bundle_type', '=', 'make')
    .orderBy('id')
    .execute();
  const waiting = await context.stagedRuns.read(unit);
  const empty = {
    staged,
    failed: 0,
    assigned: 0,
    makes: makes.map(({ uuid }) => uuid),
    moreReasons: false,
    noted: new Map(),
  };
  if (waiting.length === 0) return empty;

  const owners = await usersByIds(
    unit.queries,
    waiting.map(({ row }) => row.owner_id ?? ''),
  );
  const restarts = await readRestarts(unit, waiting, now);
  const { able, failed } = await failHopeless(unit, context, waiting, owners, restarts, now);
  const placed = await placeRuns(unit, context, able, owners, restarts, now);
  return { ...empty, ...placed, failed: failed + placed.failed };
}

/** Runs that ask for more than they can ever get, or have been restarted too often, fail; the others may be placed. */
async function failHopeless(
  unit: UnitOfWork,
  context: PassContext,
  waiting: readonly WaitingRun[],
  owners: ReadonlyMap<string, UserRow>,
  restarts: Restarts,
  now: number,
): Promise<{ able: WaitingRun[]; failed: number }> {
  const able: WaitingRun[] = [];
  let failed = 0;
  for (const run of waiting) {
    const count = restarts.counts.get(run.row.uuid) ?? 0;
    const problems =
      count >= mostRestarts
        ? [`The run could not be started after ${count} attempts.`]
        : requestProblems(context, run, owners.get(run.row.owner_id ?? ''));
    if (problems.length === 0) able.push(run);
    else if (await failRun(unit, run, problems.join('. '), now)) failed += 1;
  }
  return { able, failed };
}

function requestProblems(context: PassContext, run: WaitingRun, owner: UserRow | undefined): string[] {
  const left = quotaLeft(owner);
  const { request } = planRun(run, context.settings, left, { avoid: undefined, controllers: undefined });
  return request.ok ? limitProblems(request.value, context.settings, left) : [];
}

async function failRun(unit: UnitOfWork, run: WaitingRun, message: string, now: number): Promise<boolean> {
  const failed = await transition(unit, {
    uuid: run.row.uuid,
    type: run.row.bundle_type as BundleType,
    expected: ['staged'],
    next: 'failed',
    changes: { metadata: { failure_message: message } },
    now,
    event: history('failed', message),
  });
  return failed !== undefined;
}

async function placeRuns(
  unit: UnitOfWork,
  context: PassContext,
  waiting: readonly WaitingRun[],
  owners: ReadonlyMap<string, UserRow>,
  restarts: Restarts,
  now: number,
): Promise<Pick<PassResult, 'assigned' | 'failed' | 'moreReasons' | 'noted'>> {
  const workers = await readWorkers(unit, now - context.workerTimeout, {
    laysOut: context.laysOut,
  });
  const assignedRuns = await readAssignedRuns(unit, context.settings);
  const sharing = await readSharing(unit, workers, owners.keys());
  const controllers = await readControllers(unit, workers);
  const runs = waiting.map((run) =>
    planRun(run, context.settings, quotaLeft(owners.get(run.row.owner_id ?? '')), {
      avoid: restarts.avoid.get(run.row.uuid),
      controllers: controllers.get(run.row.uuid),
    }),
  );
  const decided = plan({
    runs,
    workers: planWorkers(workers, assignedRuns, sharing),
    parallelRunsLeft: parallelLeft(owners, assignedRuns),
    rootUserId,
    tieBreak: context.chance,
  });

  const byUuid = new Map(waiting.map((run, at) => [run.row.uuid, { run, request: runs[at]?.request }]));
  const workerByKey = new Map(workers.map((worker) => [keyOf(worker), worker]));
  let assigned = 0;
  for (const { run: uuid, worker: key } of decided.assignments) {
    const found = byUuid.get(uuid);
    const worker = workerByKey.get(key);
    if (found?.request?.ok !== true || worker === undefined) continue;
    const { row, metadata } = found.run;
    const given = await assignRun(
      unit,
      context.entries,
      { uuid, metadata, request: found.request.value, nextEpoch: row.epoch + 1 },
      {
        userId: worker.user_id,
        workerId: worker.worker_id,
        sharesFilesystem: worker.shared_file_system === 1,
      },
      now,
    );
    if (given) assigned += 1;
  }
  let failed = 0;
  for (const [uuid, problem] of decided.unreadable) {
    const found = byUuid.get(uuid);
    if (found !== undefined && (await failRun(unit, found.run, problem, now))) failed += 1;
  }
  return { assigned, failed, ...(await noteReasons(unit, decided.reasons, byUuid, now)) };
}

/** So that a pass stays short however many runs wait. */
const mostReasons = 100;

/** Writes why runs wait, where that has changed; first for those of which it was longest ago. */
async function noteReasons(
  unit: UnitOfWork,
  reasons: ReadonlyMap<string, string>,
  byUuid: ReadonlyMap<string, { run: WaitingRun }>,
  now: number,
): Promise<Pick<PassResult, 'moreReasons' | 'noted'>> {
  const changed: { run: WaitingRun; reason: string }[] = [];
  for (const [uuid, reason] of reasons) {
    const run = byUuid.get(uuid)?.run;
    if (run !== undefined && run.metadata['staged_status'] !== reason) changed.push({ run, reason });
  }
  changed.sort((one, other) => one.run.row.changed_at - other.run.row.changed_at);
  const noted = new Map<string, number>();
  for (const { run, reason } of changed.slice(0, mostReasons)) {
    const row = await transition(unit, {
      uuid: run.row.uuid,
      type: 'run',
      expected: ['staged'],
      next: 'staged',
      changes: { metadata: { staged_status: reason } },
      now,
    });
    if (row !== undefined) noted.set(row.uuid, row.version);
  }
  return { noted, moreReasons: changed.length > mostReasons };
}

function quotaLeft(owner: UserRow | undefined): QuotaLeft {
  if (owner === undefined) return { time: 0, disk: 0 };
  const quota = quotaOf(owner);
  return { time: quota.timeQuota - quota.timeUsed, disk: quota.diskQuota - quota.diskUsed };
}

function parallelLeft(
  owners: ReadonlyMap<string, UserRow>,
  assigned: readonly AssignedRun[],
): ReadonlyMap<string, number> {
  const elsewhere = new Map<string, number>();
  for (const { runOwner, workerOwner } of assigned) {
    if (runOwner !== workerOwner) elsewhere.set(runOwner, (elsewhere.get(runOwner) ?? 0) + 1);
  }
  return new Map(
    [...owners.values()].map((owner) => [
      owner.id,
      parallelRunsLeft(owner.parallel_run_quota, elsewhere.get(owner.id) ?? 0),
    ]),
  );
}

function keyOf(worker: WorkerRow): string {
  return workerKeyText({ userId: worker.user_id, workerId: worker.worker_id });
}
