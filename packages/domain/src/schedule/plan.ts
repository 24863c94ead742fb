import { backlogOf } from './backlog.ts';
import type { Plan, PlanInput } from './plan-types.ts';
import { planBacklog } from './plan-backlog.ts';

/**
 * Decides which staged runs start where, and why the others wait (execution.md §13). Pure and deterministic; never gives a
 * worker more than it has. Whoever keeps the runs in order from one plan to the next uses `planBacklog`.
 */
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
