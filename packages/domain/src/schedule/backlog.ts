/*
 * Runs that wait, as the scheduler walks them: by user, and each user's by what they ask for. Runs of one line qualify for the same
 * workers whatever has been booked, so ten thousand of them cost a pass as much as one.
 */
import type { Placed, Sequence } from './ordered.ts';
import type { PlanDependency } from './plan-types.ts';
import type { ResourceRequest } from './request.ts';

/** A waiting run, reduced to what is its own. */
export interface QueuedRun extends Placed {
  readonly uuid: string;
  readonly dependencies: readonly PlanDependency[];
}

/** What decides where runs may go, besides whose they are. */
export interface Asking {
  readonly request: ResourceRequest;
  /** Keys of workers where the runs failed to start again and again. */
  readonly avoid: ReadonlySet<string>;
  /** Users, besides the owner and root, who may control the runs; only their workers may take them. */
  readonly controllers: ReadonlySet<string>;
}

/** Runs of one user that ask for the same. */
export interface Line extends Asking {
  readonly runs: Sequence<QueuedRun>;
}

export interface PriorityLevel {
  readonly priority: number;
  readonly runs: Sequence<QueuedRun>;
}

/** Everything of one user that waits. */
export interface UserBacklog {
  readonly ownerId: string;
  readonly lines: readonly Line[];
  /** The runs of all lines. */
  readonly runs: Sequence<QueuedRun>;
  /** The same runs by their priority, highest first. */
  readonly levels: readonly PriorityLevel[];
}
