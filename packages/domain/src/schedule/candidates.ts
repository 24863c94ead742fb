import type { WorkerView } from './pool.ts';

/** The workers a user's runs may go to (execution.md §13.2). */
export interface Candidates {
  /** Owned by the user, or shared with a group the user is in. */
  near: readonly WorkerView[];
  /** Everybody's: root's, and those shared with a group root is in. They cost parallel runs. */
  common: readonly WorkerView[];
}

/** Looks candidates up once a user. */
export function candidateIndex(
  views: readonly WorkerView[],
  rootUserId: string,
): (userId: string) => Candidates {
  const known = new Map<string, Candidates>();
  return (userId) => {
    const found = known.get(userId);
    if (found !== undefined) return found;
    const near = views.filter((view) => isNear(view, userId));
    const common = views.filter((view) => !isNear(view, userId) && isNear(view, rootUserId));
    const candidates = { near, common };
    known.set(userId, candidates);
    return candidates;
  };
}

function isNear({ worker }: WorkerView, userId: string): boolean {
  return worker.ownerId === userId || worker.members.has(userId);
}
