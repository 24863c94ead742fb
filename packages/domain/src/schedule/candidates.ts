import type { WorkerView } from './pool.ts';

/** The workers a user's runs may go to (execution.md §13.2). */
export interface Candidates {
  /** Owned by the user, or shared with a group the user is in. */
  near: readonly WorkerView[];
  /** Everybody's: root's, and those shared with a group root is in. They cost parallel runs. */
  common: readonly WorkerView[];
  /** Equal for users with the same candidates: everybody without workers of their own is in one class. */
  userClass: string;
}

/** Looks candidates up once a user. */
export function candidateIndex(
  views: readonly WorkerView[],
  rootUserId: string,
): (userId: string) => Candidates {
  const known = new Map<string, Candidates>();
  const common = views.filter((view) => isNear(view, rootUserId));
  const forOthers: Candidates = { near: [], common, userClass: '' };
  const usersWithWorkers = new Set(views.map(({ worker }) => worker.ownerId));
  // Workers of one group have one and the same set of members.
  for (const members of new Set(views.map(({ worker }) => worker.members))) {
    for (const member of members) usersWithWorkers.add(member);
  }
  return (userId) => {
    if (!usersWithWorkers.has(userId)) return forOthers;
    const found = known.get(userId);
    if (found !== undefined) return found;
    const candidates = {
      near: views.filter((view) => isNear(view, userId)),
      common: common.filter((view) => !isNear(view, userId)),
      userClass: userId,
    };
    known.set(userId, candidates);
    return candidates;
  };
}

function isNear({ worker }: WorkerView, userId: string): boolean {
  return worker.ownerId === userId || worker.members.has(userId);
}
