/*
 * Runs that wait, as the scheduler walks them: by user, and each user's by what they ask for. Runs of one line qualify for the same
 * workers whatever has been booked, so ten thousand of them cost a pass as much as one.
 */
import { Ordered, type Placed, type Sequence } from './ordered.ts';
import type { PlanDependency, StagedRun } from './plan-types.ts';
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

/** @param runs in creation order; those whose request cannot be read are left out */
export function backlogOf(runs: readonly StagedRun[]): UserBacklog[] {
  const users = new Map<string, NewBacklog>();
  for (const [place, { uuid, ownerId, request, dependencies, avoid, controllers }] of runs.entries()) {
    if (!request.ok) continue;
    const user = users.get(ownerId) ?? { runs: new Ordered(), lines: new Map(), levels: new Map() };
    users.set(ownerId, user);
    const run = { uuid, place, dependencies };
    const asking = { request: request.value, avoid, controllers };
    const { priority } = request.value;
    const key = JSON.stringify([request.value, [...avoid].toSorted(), [...controllers].toSorted()]);
    const line = user.lines.get(key) ?? { ...asking, runs: new Ordered() };
    const level = user.levels.get(priority) ?? { priority, runs: new Ordered() };
    user.lines.set(key, line);
    user.levels.set(priority, level);
    for (const { runs: sequence } of [user, line, level]) sequence.add(run);
  }
  return [...users].map(([ownerId, { runs: all, lines, levels }]) => ({
    ownerId,
    runs: all,
    lines: [...lines.values()],
    levels: [...levels.values()].toSorted((one, other) => other.priority - one.priority),
  }));
}

interface NewBacklog {
  readonly runs: Ordered<QueuedRun>;
  readonly lines: Map<string, Asking & { readonly runs: Ordered<QueuedRun> }>;
  readonly levels: Map<number, { readonly priority: number; readonly runs: Ordered<QueuedRun> }>;
}
