/*
 * One pass of the scheduler: what is due is staged, what cannot run fails, what fits a worker is given to it, and the others are
 * told why they wait. One unit of work, so that every decision is made on one view of the world and comes true as a whole. What it
 * does at once is bounded, so that others get at the database soon; the next pass goes on.
 */
import type { Hint } from '@sheaf/domain';
import { sql } from 'kysely';
import { usersByIds, type UserRow } from '../accounts/users.ts';
import type { DependencyEntries } from '../contents/dependency-entries.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { Services } from '../services.ts';
import type { WorkerKey } from '../workers/worker-key.ts';
import type { Backlog } from './backlog/backlog.ts';
import type { KeptBacklog } from './backlog/kept-backlog.ts';
import { failHopeless } from './hopeless-runs.ts';
import type { InputsFinding } from './inputs-check.ts';
import type { LineRequests } from './line-requests.ts';
import { placeRuns, type ReasonOf } from './place-runs.ts';
import type { GivenHints } from './prefetch.ts';
import { stageCreated, type StagingCandidates } from './staging.ts';
import type { KnownWorkers } from './known-workers.ts';

/** Any number that no other lock uses: with several servers on one database, one plans at a time. */
const passLock = 0x5ced;

export interface PassContext {
  /** Whether nothing was heard of a worker for so long that it gets no more runs. @param checkinAt as stored */
  readonly isSilent: (worker: WorkerKey, checkinAt: number) => boolean;
  readonly entries: DependencyEntries;
  /** Whether contents can be laid out for workers that share the server's filesystem. */
  readonly laysOut: boolean;
  readonly backlog: KeptBacklog;
  readonly requests: LineRequests;
  readonly workers: KnownWorkers;
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

export interface PassResult {
  readonly staged: number;
  /** Runs whose inputs must be looked at before they can be staged. */
  readonly unchecked: readonly string[];
  readonly failed: number;
  readonly assigned: number;
  /** There is more to be done at once. */
  readonly more: boolean;
  /** Make bundles that can be made now. */
  readonly makes: readonly string[];
  /** Milliseconds until another pass may decide otherwise, though nothing will have happened. */
  readonly changesIn: number | undefined;
  /** Queued for workers, to be noted in `PassContext.hints` once they are committed. */
  readonly hints: readonly Hint[];
  /** To be kept in `PassContext.fairness` once this is committed. */
  readonly turnsTaken: ReadonlyMap<string, number>;
  /** Why runs wait, to be shown once this is committed; undefined where the pass did not get that far. */
  readonly reasonOf: ReasonOf | undefined;
}

export async function schedulerPass(
  unit: UnitOfWork,
  context: PassContext,
  { candidates, findings }: StagingWork,
  now: number,
): Promise<PassResult> {
  if (unit.dialect.name === 'postgresql')
    await sql`select pg_advisory_xact_lock(${passLock})`.execute(unit.queries);
  const { moved, unchecked } = await stageCreated(unit, candidates, findings, now);
  const { backlog } = context;
  await backlog.bringUpToDate(unit, moved, now);
  const changesIn = backlog.runs.reconsider(now);
  context.hints.keepOnly((run) => backlog.runs.get(run) !== undefined);
  const begun = { staged: moved.length, unchecked, makes: backlog.makes, changesIn };
  if (backlog.runs.size === 0) return { ...begun, ...nothingWaits };

  const owners = await ownersOf(unit, backlog.runs);
  const hopeful = await failHopeless(unit, backlog.runs, owners, context.requests, now);
  for (const uuid of hopeful.stale) backlog.noteChange(uuid);
  const placed = await placeRuns(unit, context, hopeful.requests, owners, now);
  return {
    ...begun,
    ...placed,
    failed: hopeful.failed + placed.failed,
    more: hopeful.more || hopeful.stale.length > 0 || placed.more,
  };
}

const nothingWaits = {
  failed: 0,
  assigned: 0,
  more: false,
  hints: [],
  turnsTaken: new Map<string, number>(),
  reasonOf: () => undefined,
} satisfies Partial<PassResult>;

async function ownersOf(unit: UnitOfWork, backlog: Backlog): Promise<ReadonlyMap<string, UserRow>> {
  const ids = [...backlog.users].map(({ ownerId }) => ownerId);
  return await usersByIds(unit.queries, [...ids, ...backlog.hopeless.map(({ ownerId }) => ownerId)]);
}
