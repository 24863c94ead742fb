/* Gives waiting runs to workers as `planBacklog` decides it, and finds out why the others wait. */
import {
  parallelRunsLeft,
  planBacklog,
  type Explanation,
  type Hint,
  type Line,
  type Metadata,
  type Placement,
  type ResourceRequest,
  type UserBacklog,
} from '@sheaf/domain';
import { rootUserId, type UserRow } from '../accounts/users.ts';
import { findBundles } from '../bundles/access.ts';
import type { BundleRow } from '../bundles/transition.ts';
import { attempt } from '../database/attempt.ts';
import { endsTransaction } from '../database/contention.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { workerKeyText } from '../workers/worker-key.ts';
import { assignRuns, type AssignableRun, type AssigningWorker, type GivenRun } from './assign.ts';
import type { AssignedRun } from './backlog/assigned-runs.ts';
import type { BacklogLine, BacklogUser } from './backlog/backlog.ts';
import { readControllers } from './backlog/grants.ts';
import { failDamaged, readableMetadata } from './damage.ts';
import { failRun } from './hopeless-runs.ts';
import type { WorkerRow } from './known-workers.ts';
import type { PassContext } from './pass.ts';
import { mayTakeRuns, planWorkers, readSharing } from './plan-workers.ts';
import { dropHints, queueHint } from './prefetch.ts';

/** So that a pass stays short however many find a place; the others find it in the next. */
const mostAssigned = 100;

export type ReasonOf = (uuid: string) => string | undefined;

export interface Placed {
  readonly assigned: number;
  readonly failed: number;
  readonly more: boolean;
  readonly hints: readonly Hint[];
  readonly turnsTaken: ReadonlyMap<string, number>;
  readonly reasonOf: ReasonOf | undefined;
}

/** @param requests of the lines whose runs may start */
export async function placeRuns(
  unit: UnitOfWork,
  context: PassContext,
  requests: ReadonlyMap<BacklogLine, ResourceRequest>,
  owners: ReadonlyMap<string, UserRow>,
  now: number,
): Promise<Placed> {
  const { runs, assigned: assignedRuns } = context.backlog;
  const workers = (await context.workers.read(unit)).filter(({ row }) => mayTakeRuns(row, context));
  const sharing = await readSharing(unit, workers, owners.keys());
  const controllersOf = await readControllers(unit, new Set(workers.map(({ row }) => row.user_id)));
  const lines = new Map<BacklogLine, Line>();
  for (const [line, request] of requests) {
    const { avoid, grants } = line;
    lines.set(line, { request, avoid, controllers: controllersOf(grants), runs: line.runs });
  }
  const runsElsewhere = countElsewhere(assignedRuns.all.values());
  const decided = planBacklog({
    backlog: [...runs.users].flatMap((user) => userBacklog(user, lines)),
    workers: planWorkers(workers, assignedRuns.all.values(), sharing),
    parallelRunsLeft: parallelLeft(owners, runsElsewhere),
    runsElsewhere,
    turnsTaken: context.fairness.turnsTaken,
    rootUserId,
    tieBreak: context.chance,
    most: mostAssigned,
  });

  const byKey = new Map(workers.map(({ key, row }) => [key, row]));
  context.hints.keepWorkers((worker) => byKey.has(worker));
  const given = await assign(unit, context, decided.placements, byKey, now);
  const hints = await hint(
    unit,
    context,
    decided.explanation?.hints ?? [],
    { requests, workers: byKey },
    now,
  );
  return {
    ...given,
    more: decided.explanation === undefined || given.stale,
    hints,
    turnsTaken: decided.turnsTaken,
    reasonOf: decided.explanation === undefined ? undefined : reasons(context, decided.explanation, lines),
  };
}

/** None where nothing of the user may start. */
function userBacklog(
  { ownerId, runs, lines: all, levels }: BacklogUser,
  lines: ReadonlyMap<BacklogLine, Line>,
): UserBacklog[] {
  const open = [...all.values()].flatMap((line) => lines.get(line) ?? []);
  if (open.length === 0) return [];
  const sorted = [...levels].map(([priority, level]) => ({ priority, runs: level }));
  return [{ ownerId, runs, lines: open, levels: sorted.sort((one, other) => other.priority - one.priority) }];
}

/** What one run or its inputs have wrong must not keep all others from starting (execution.md §31.4). */
async function assign(
  unit: UnitOfWork,
  { entries, hints, log, backlog }: PassContext,
  placements: readonly Placement[],
  workers: ReadonlyMap<string, WorkerRow>,
  now: number,
): Promise<{ assigned: number; failed: number; stale: boolean }> {
  if (placements.length === 0) return { assigned: 0, failed: 0, stale: false };
  const rows = await findBundles(
    unit.queries,
    placements.map(({ run }) => run.uuid),
  );
  const byUuid = new Map(rows.map((row) => [row.uuid, row]));
  const given: GivenRun[] = [];
  let failed = 0;
  let stale = false;
  for (const { run, line, worker: key } of placements) {
    const { uuid } = run;
    const row = byUuid.get(uuid);
    const worker = workers.get(key);
    if (row?.state !== 'staged' || !backlog.knows(uuid, row.version)) {
      // Somebody has changed the run since it was read. What else is not told is found by who planned last.
      backlog.noteChange(uuid);
      stale = true;
      continue;
    }
    const metadata = readableMetadata(row);
    if (metadata === undefined) {
      if (await failDamaged(unit, row, ['staged'], now)) failed += 1;
    } else if (worker !== undefined) {
      given.push({ run: assignable(row, metadata, line.request), worker: target(worker) });
    }
  }
  const outcomes = await assignRuns(unit, entries, given, now);
  let assigned = 0;
  for (const [at, { run, worker }] of given.entries()) {
    const outcome = outcomes[at];
    if (outcome?.kind === 'assigned') {
      assigned += 1;
      if (hints.has(run.uuid)) await dropHints(unit, run.uuid);
    } else if (outcome?.kind === 'odd') {
      const { error } = outcome;
      log.error(
        { err: error, run: run.uuid, worker: workerKeyText(worker) },
        'a run could not be given to a worker',
      );
      if (await failRun(unit, run.uuid, unreadableInputs, now)) failed += 1;
    }
  }
  return { assigned, failed, stale };
}

function assignable(row: BundleRow, metadata: Metadata, request: ResourceRequest): AssignableRun {
  const isAnonymous = row.is_anonymous === 1;
  return { uuid: row.uuid, metadata, request, nextEpoch: row.epoch + 1, isAnonymous };
}

function target(worker: WorkerRow): AssigningWorker {
  const { hostname } = worker;
  return { ...keysOf(worker), hostname, sharesFilesystem: worker.shared_file_system === 1 };
}

const unreadableInputs =
  'The run could not be given to a worker: what the server knows about it or its inputs is damaged.';

async function hint(
  unit: UnitOfWork,
  { entries, hints, log, backlog }: PassContext,
  planned: readonly Hint[],
  known: {
    readonly requests: ReadonlyMap<BacklogLine, ResourceRequest>;
    readonly workers: ReadonlyMap<string, WorkerRow>;
  },
  now: number,
): Promise<Hint[]> {
  const fresh = hints.fresh(planned, now);
  for (const { run: uuid, worker: key } of fresh) {
    const line = backlog.runs.lineOf(uuid);
    const request = line === undefined ? undefined : known.requests.get(line);
    const worker = known.workers.get(key);
    if (request === undefined || worker === undefined) continue;
    const inputs =
      backlog.runs
        .get(uuid)
        ?.dependencies.map((input) => input.key)
        .toSorted() ?? [];
    if (hints.isRepeated(key, JSON.stringify([request.image, request.imageRequested, inputs]), now)) continue;
    try {
      await attempt(unit, () => queueHint(unit, entries, { uuid, request }, keysOf(worker), now));
    } catch (error) {
      if (endsTransaction(error)) throw error;
      log.warn({ err: error, run: uuid, worker: key }, 'a worker could not be told about a run');
    }
  }
  return fresh;
}

/** Looked up when it is asked for: the runs of a line may change until then, what they wait for does not. */
function reasons(
  { backlog }: PassContext,
  explanation: Explanation,
  lines: ReadonlyMap<BacklogLine, Line>,
): ReasonOf {
  const byLine = new Map(
    [...lines].flatMap(([line, planned]) => {
      const found = explanation.lines.get(planned);
      return found === undefined ? [] : [[line, found] as const];
    }),
  );
  return (uuid) => {
    const line = backlog.runs.lineOf(uuid);
    const found = line === undefined ? undefined : byLine.get(line);
    if (found === undefined) return undefined;
    return found.first === uuid || found.ofOthers === '' ? found.ofFirst : found.ofOthers;
  };
}

/** Runs that each user has on workers of others. */
function countElsewhere(assigned: Iterable<AssignedRun>): Map<string, number> {
  const elsewhere = new Map<string, number>();
  for (const { runOwner, workerOwner } of assigned) {
    if (runOwner !== workerOwner) elsewhere.set(runOwner, (elsewhere.get(runOwner) ?? 0) + 1);
  }
  return elsewhere;
}

function parallelLeft(
  owners: ReadonlyMap<string, UserRow>,
  elsewhere: ReadonlyMap<string, number>,
): Map<string, number> {
  return new Map(
    [...owners.values()].map((owner) => [
      owner.id,
      parallelRunsLeft(owner.parallel_run_quota, elsewhere.get(owner.id) ?? 0),
    ]),
  );
}

function keysOf(worker: WorkerRow) {
  return { userId: worker.user_id, workerId: worker.worker_id };
}
