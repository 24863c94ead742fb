/* Plans from a list of runs, as tests write them; the server keeps its runs in order from one plan to the next. */
import type { Asking, QueuedRun, UserBacklog } from '../backlog.ts';
import { Ordered } from '../ordered.ts';
import type { Plan, PlanInput, StagedRun } from '../plan-types.ts';
import { planBacklog } from '../plan-backlog.ts';

/** What `planBacklog` decides about these runs, run by run. */
export function plan(input: PlanInput): Plan {
  const unreadable = new Map<string, string>();
  for (const { uuid, request } of input.runs) if (!request.ok) unreadable.set(uuid, request.problem);
  const backlog = backlogOf(input.runs);
  const { placements, turnsTaken, explanation } = planBacklog({ ...input, backlog });
  const placed = new Set(placements.map(({ run }) => run));
  const reasons = new Map<string, string>();
  for (const [line, { first, ofFirst, ofOthers }] of explanation?.lines ?? []) {
    for (let position = 0; position < line.runs.size; position += 1) {
      const run = line.runs.at(position);
      if (run !== undefined && !placed.has(run))
        reasons.set(run.uuid, run.uuid === first ? ofFirst : ofOthers);
    }
  }
  return {
    assignments: placements.map(({ run, worker }) => ({ run: run.uuid, worker })),
    reasons,
    unreadable,
    turnsTaken,
    hints: explanation?.hints ?? [],
  };
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
