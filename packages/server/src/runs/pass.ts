/*
 * One pass of the scheduler: what is due is staged, what cannot run fails, what fits a worker is given to it, and the others are
 * told why they wait. One unit of work, so that every decision is made on one view of the world and comes true as a whole.
 */
import { parallelRunsLeft, plan, type Hint, type RequestSettings, type ResourceRequest } from '@sheaf/domain';
import { sql } from 'kysely';
import { rootUserId, usersByIds, type UserRow } from '../accounts/users.ts';
import type { DependencyEntries } from '../contents/dependency-entries.ts';
import { attempt } from '../database/attempt.ts';
import { endsTransaction } from '../database/contention.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { Services } from '../services.ts';
import { workerKeyText, type WorkerKey } from '../workers/worker-key.ts';
import { assignRun } from './assign.ts';
import { failHopeless, failRun, quotaLeft, type AbleRun } from './hopeless-runs.ts';
import type { InputsFinding } from './inputs-check.ts';
import {
  planWorkers,
  readAssignedRuns,
  readControllers,
  readSharing,
  readWorkers,
  type AssignedRun,
  type WorkerRow,
} from './plan-workers.ts';
import { dropHints, queueHint, type GivenHints, type HintedRun } from './prefetch.ts';
import { planRun, readRestarts, type Restarts, type StagedRuns } from './staged-runs.ts';
import { stageCreated, type StagingCandidates } from './staging.ts';
import { noteReasons, type NotedReasons } from './waiting-reasons.ts';

/** Any number that no other lock uses: with several servers on one database, one plans at a time. */
const passLock = 0x5ced;

export interface PassContext {
  readonly settings: RequestSettings;
  /** Whether nothing was heard of a worker for so long that it gets no more runs. @param checkinAt as stored */
  readonly isSilent: (worker: WorkerKey, checkinAt: number) => boolean;
  readonly entries: DependencyEntries;
  /** Whether contents can be laid out for workers that share the server's filesystem. */
  readonly laysOut: boolean;
  readonly stagedRuns: StagedRuns;
  readonly hints: GivenHints;
  /** How often whose runs had their turn lately; starts anew with the server. */
  readonly fairness: { turnsTaken: ReadonlyMap<string, number> };
  readonly log: Services['log'];
  /** Orders equally good workers. */
  readonly chance: () => number;
}

export interface StagingWork {
  readonly candidates: StagingCandidates;
  /** What was found about the inputs of runs among them. */
  readonly findings: ReadonlyMap<string, InputsFinding>;
}

export interface PassResult extends NotedReasons {
  readonly staged: number;
  /** Runs whose inputs must be looked at before they can be staged. */
  readonly unchecked: readonly string[];
  readonly failed: number;
  readonly assigned: number;
  /** Make bundles that can be made now. */
  readonly makes: readonly string[];
  /** Milliseconds until another pass may decide otherwise, though nothing will have happened. */
  readonly changesIn: number | undefined;
  /** Queued for workers, to be noted in `PassContext.hints` once they are committed. */
  readonly hints: readonly Hint[];
  /** To be kept in `PassContext.fairness` once this is committed. */
  readonly turnsTaken: ReadonlyMap<string, number>;
}

export async function schedulerPass(
  unit: UnitOfWork,
  context: PassContext,
  { candidates, findings }: StagingWork,
  now: number,
): Promise<PassResult> {
  if (unit.dialect.name === 'postgresql')
    await sql`select pg_advisory_xact_lock(${passLock})`.execute(unit.queries);
  const { moved: staged, unchecked } = await stageCreated(unit, candidates, findings, now);
  const makes = await unit.queries
    .selectFrom('bundle')
    .select('uuid')
    .where('state', '=', 'staged')
    .where('bundle_type', '=', 'make')
    .orderBy('id')
    .execute();
  const waiting = await context.stagedRuns.read(unit);
  context.hints.keepOnly(new Map(waiting.map(({ row }) => [row.uuid, row])));
  const empty = {
    staged,
    unchecked,
    failed: 0,
    assigned: 0,
    makes: makes.map(({ uuid }) => uuid),
    moreReasons: false,
    changesIn: undefined,
    noted: new Map(),
    hints: [],
    turnsTaken: new Map<string, number>(),
  };
  if (waiting.length === 0) return empty;

  const owners = await usersByIds(
    unit.queries,
    waiting.map(({ row }) => row.owner_id ?? ''),
  );
  const restarts = await readRestarts(unit, waiting, now);
  const { able, failed } = await failHopeless(unit, context.settings, waiting, { owners, restarts }, now);
  const placed = await placeRuns(unit, context, able, owners, restarts, now);
  return { ...empty, ...placed, changesIn: restarts.changesIn, failed: failed + placed.failed };
}

async function placeRuns(
  unit: UnitOfWork,
  context: PassContext,
  waiting: readonly AbleRun[],
  owners: ReadonlyMap<string, UserRow>,
  restarts: Restarts,
  now: number,
): Promise<Pick<PassResult, 'assigned' | 'failed' | 'hints' | 'turnsTaken' | keyof NotedReasons>> {
  const workers = await readWorkers(unit, context.isSilent, {
    laysOut: context.laysOut,
  });
  const assignedRuns = await readAssignedRuns(unit, context.settings);
  const sharing = await readSharing(unit, workers, owners.keys());
  const controllers = await readControllers(unit, workers);
  const runs = waiting.map((run) =>
    planRun(run, context.settings, quotaLeft(run.owner), {
      avoid: restarts.avoid.get(run.row.uuid),
      controllers: controllers.get(run.row.uuid),
    }),
  );
  const runsElsewhere = countElsewhere(assignedRuns);
  const decided = plan({
    runs,
    workers: planWorkers(workers, assignedRuns, sharing),
    parallelRunsLeft: parallelLeft(owners, runsElsewhere),
    runsElsewhere,
    turnsTaken: context.fairness.turnsTaken,
    rootUserId,
    tieBreak: context.chance,
  });

  const byUuid = new Map(waiting.map((run, at) => [run.row.uuid, { run, request: runs[at]?.request }]));
  const workerByKey = new Map(workers.map((worker) => [keyOf(worker), worker]));
  let assigned = 0;
  let failed = 0;
  for (const { run: uuid, worker: key } of decided.assignments) {
    const found = byUuid.get(uuid);
    const worker = workerByKey.get(key);
    if (found?.request?.ok !== true || worker === undefined) continue;
    const outcome = await tryToAssign(unit, context, found.run, found.request.value, worker, now);
    if (outcome === 'assigned') assigned += 1;
    if (outcome === 'failed') failed += 1;
  }
  const hints = context.hints.fresh(decided.hints, now);
  for (const { run: uuid, worker: key } of hints) {
    const request = byUuid.get(uuid)?.request;
    const worker = workerByKey.get(key);
    if (request?.ok !== true || worker === undefined) continue;
    await tryToHint(unit, context, { uuid, request: request.value }, worker, now);
  }
  const noted = await noteReasons(
    unit,
    decided.reasons,
    new Map(waiting.map((run) => [run.row.uuid, run])),
    now,
  );
  return { assigned, failed, hints, turnsTaken: decided.turnsTaken, ...noted };
}

/** What one run or its inputs have wrong must not keep all others from starting (execution.md §31.4). */
async function tryToAssign(
  unit: UnitOfWork,
  { entries, hints, log }: PassContext,
  { row, metadata }: AbleRun,
  request: ResourceRequest,
  worker: WorkerRow,
  now: number,
): Promise<'assigned' | 'failed' | 'not now'> {
  const { uuid } = row;
  const isAnonymous = row.is_anonymous === 1;
  const { hostname } = worker;
  const target = { ...keysOf(worker), hostname, sharesFilesystem: worker.shared_file_system === 1 };
  try {
    const run = { uuid, metadata, request, nextEpoch: row.epoch + 1, isAnonymous };
    const given = await attempt(unit, () => assignRun(unit, entries, run, target, now));
    if (given && hints.has(uuid)) await dropHints(unit, uuid);
    return given ? 'assigned' : 'not now';
  } catch (error) {
    if (endsTransaction(error)) throw error;
    log.error({ err: error, run: uuid, worker: keyOf(worker) }, 'a run could not be given to a worker');
    return (await failRun(unit, uuid, unreadableInputs, now)) ? 'failed' : 'not now';
  }
}

const unreadableInputs =
  'The run could not be given to a worker: what the server knows about it or its inputs is damaged.';

async function tryToHint(
  unit: UnitOfWork,
  { entries, log }: PassContext,
  run: HintedRun,
  worker: WorkerRow,
  now: number,
): Promise<void> {
  try {
    await attempt(unit, () => queueHint(unit, entries, run, keysOf(worker), now));
  } catch (error) {
    if (endsTransaction(error)) throw error;
    log.warn({ err: error, run: run.uuid, worker: keyOf(worker) }, 'a worker could not be told about a run');
  }
}

/** Runs that each user has on workers of others. */
function countElsewhere(assigned: readonly AssignedRun[]): ReadonlyMap<string, number> {
  const elsewhere = new Map<string, number>();
  for (const { runOwner, workerOwner } of assigned) {
    if (runOwner !== workerOwner) elsewhere.set(runOwner, (elsewhere.get(runOwner) ?? 0) + 1);
  }
  return elsewhere;
}

function parallelLeft(
  owners: ReadonlyMap<string, UserRow>,
  elsewhere: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  return new Map(
    [...owners.values()].map((owner) => [
      owner.id,
      parallelRunsLeft(owner.parallel_run_quota, elsewhere.get(owner.id) ?? 0),
    ]),
  );
}

function keysOf(worker: WorkerRow): WorkerKey {
  return { userId: worker.user_id, workerId: worker.worker_id };
}

function keyOf(worker: WorkerRow): string {
  return workerKeyText(keysOf(worker));
}
