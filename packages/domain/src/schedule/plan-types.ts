import type { Outcome } from '../outcome.ts';
import type { ResourceRequest } from './request.ts';

/** What the scheduler decides from (execution.md §13). Plain data: the caller reads it, the plan leaves it untouched. */
export interface PlanInput {
  /** In creation order. */
  runs: readonly StagedRun[];
  workers: readonly PlanWorker[];
  /** Runs each user may still start on workers of others; users not listed have no bound. */
  parallelRunsLeft: ReadonlyMap<string, number>;
  /** Runs each user has on workers of others already; none for users not listed. */
  runsElsewhere: ReadonlyMap<string, number>;
  /** As the plan before answered them; empty for the first. */
  turnsTaken: ReadonlyMap<string, number>;
  rootUserId: string;
  /** Orders workers that are equally good; the smaller goes first. Called once a worker. */
  tieBreak: (worker: PlanWorker) => number;
}

export interface StagedRun {
  uuid: string;
  ownerId: string;
  /** The answer of `resolveRequest`; a problem is reported for this run and harms no other. */
  request: Outcome<ResourceRequest>;
  dependencies: readonly PlanDependency[];
  /** Keys of workers where the run failed to start again and again. */
  avoid: ReadonlySet<string>;
  /** Users, besides the owner and root, who may control the run; only their workers may take it. */
  controllers: ReadonlySet<string>;
}

/** Each key occurs once a run, however often the run mounts it. */
export interface PlanDependency {
  /** The answer of `dependencyCacheKey`. */
  key: string;
  /** What a worker would have to download; 0 when it is not known. */
  bytes: number;
}

export interface PlanWorker {
  /** Unique among all workers of all users. */
  key: string;
  ownerId: string;
  /** Members of the group that shares the worker. */
  members: ReadonlySet<string>;
  tag: string | null;
  tagExclusive: boolean;
  /** Totals, in bytes where it is memory. */
  cpus: number;
  gpus: number;
  memory: number;
  /** As reported; null when the worker could not tell. */
  freeDisk: number | null;
  /** Taken by the runs assigned to the worker. */
  cpusInUse: number;
  gpusInUse: number;
  memoryInUse: number;
  assignedRuns: number;
  /** Runs the worker executes at once; null for as many as resources allow. */
  slots: number | null;
  /** Runs the worker will still start before it ends. */
  runsLeft: number;
  terminating: boolean;
  /** Whether runs that name an image can be executed. */
  images: boolean;
  sharedFileSystem: boolean;
  cachedDependencies: ReadonlySet<string>;
  /** What it has of a parent it has for every path inside, too. */
  cachesContents: boolean;
  /** It can be told which runs will probably come. */
  takesHints: boolean;
}

export interface Assignment {
  run: string;
  worker: string;
}

/** A waiting run and the worker that will probably take it once there is room. */
export type Hint = Assignment;

export interface Plan {
  /** In the order they were decided. */
  assignments: Assignment[];
  /** For every run that waits, what would let it start. */
  reasons: ReadonlyMap<string, string>;
  /** How often each user's runs went to workers of others since they wait, for the next plan. */
  turnsTaken: ReadonlyMap<string, number>;
  /** For the first waiting runs; a few a worker. */
  hints: Hint[];
  /** Runs whose request cannot be read, with the problem: waiting does not help them. */
  unreadable: ReadonlyMap<string, string>;
}

/** Runs a worker is told about in advance. */
export const hintsPerWorker = 4;
/** Runs that workers are looked for in advance, in one pass. */
export const mostHints = 64;

/** The name of a dependency in worker caches: equal for equal `[parent_uuid, parent_path]`. */
export function dependencyCacheKey(parentUuid: string, parentPath: string): string {
  return `${parentUuid}/${parentPath}`;
}
