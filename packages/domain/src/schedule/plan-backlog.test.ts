import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { success } from '../outcome.ts';
import { planBacklog } from './plan-backlog.ts';
import type { PlanInput } from './plan-types.ts';
import { planInput } from './testing/inputs.ts';
import { backlogOf, plan } from './testing/plan.ts';
import { planRunByRun } from './testing/run-by-run-plan.ts';

/** The same with few things asked for, so that many runs wait in one line. */
const crowded = planInput.map((given): PlanInput => ({
  ...given,
  runs: given.runs.map((run, number) => ({
    ...run,
    request: run.request.ok
      ? success({
          ...run.request.value,
          cpus: number % 2 === 0 ? 1 : run.request.value.cpus,
          memory: 1,
          gpus: 0,
          disk: 0,
          queue: '',
          imageRequested: false,
          network: true,
        })
      : run.request,
    avoid: new Set(),
    controllers: new Set(['root', 'alice']),
  })),
}));

describe('a plan of the backlog', () => {
  it.each([
    ['of anything', planInput],
    ['of much that is alike', crowded],
  ])('answers what looking at every run one by one would answer: %s', (_, inputs) => {
    fc.assert(
      fc.property(inputs, (given) => {
        expect(plan(given)).toEqual(planRunByRun(given));
      }),
      { numRuns: 1000 },
    );
  });

  it('that may place a few only places the first of all, and says nothing yet about the others', () => {
    fc.assert(
      fc.property(crowded, fc.nat(4), (given, most) => {
        const backlog = backlogOf(given.runs);
        const all = planBacklog({ ...given, backlog });
        const few = planBacklog({ ...given, backlog, most });
        expect(few.placements).toEqual(all.placements.slice(0, most));
        expect(few.explanation === undefined).toBe(few.placements.length === most);
      }),
    );
  });
});
