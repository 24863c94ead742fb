/*
 * What a plan is, said in the simplest way: every run is looked at, one by one. `planBacklog` has to answer the same, at less cost.
 */
import { candidateIndex, type Candidates } from '../candidates.ts';
import { canRunImage, hasRoom, mayTake, occupy, viewsOf, type WorkerView } from '../pool.ts';
import type { Assignment, Plan, PlanInput, StagedRun } from '../plan-types.ts';
import { bestWorker } from '../preference.ts';
import type { ResourceRequest } from '../request.ts';
import { Shapes } from '../shape.ts';
import { beginRound, Turns } from './run-by-run-turns.ts';
import { explainWaiting, type ReadableRun } from './run-by-run-waiting.ts';

export function planRunByRun(input: PlanInput): Plan {
  const { rootUserId } = input;
  const unreadable = new Map<string, string>();
  const candidatesOf = candidateIndex(viewsOf(input), rootUserId);
  const readable = readableRuns(input.runs, candidatesOf, unreadable);
  const parallelRunsLeft = new Map(input.parallelRunsLeft);
  const runsElsewhere = new Map(input.runsElsewhere);
  const mayUseCommon = (userId: string): boolean =>
    (parallelRunsLeft.get(userId) ?? Number.POSITIVE_INFINITY) > 0;
  const assignments: Assignment[] = [];
  const assigned = new Set<string>();

  const turnsTaken = beginRound(
    input.turnsTaken,
    readable.map(({ ownerId }) => ownerId),
  );
  const turns = new Turns(readable, { load: runsElsewhere, turns: turnsTaken });
  for (let turn = turns.next(); turn !== undefined; turn = turns.next()) {
    const { run, request, ownerId } = turn;
    const { hopeless } = turn.shape;
    const common = mayUseCommon(ownerId);
    const where = common ? 'withCommon' : 'nearOnly';
    if (hopeless[where]) continue;
    const chosen = choose(run, request, candidatesOf(ownerId), { mayUseCommon: common, rootUserId });
    if (chosen === undefined) {
      hopeless[where] = true;
      continue;
    }
    occupy(chosen, request);
    assignments.push({ run: run.uuid, worker: chosen.worker.key });
    assigned.add(run.uuid);
    if (chosen.worker.ownerId === ownerId) continue;
    turns.took();
    runsElsewhere.set(ownerId, (runsElsewhere.get(ownerId) ?? 0) + 1);
    turnsTaken.set(ownerId, (turnsTaken.get(ownerId) ?? 0) + 1);
    const left = parallelRunsLeft.get(ownerId);
    if (left !== undefined) parallelRunsLeft.set(ownerId, left - 1);
  }
  const waiting = readable.filter(({ run }) => !assigned.has(run.uuid));
  const shares = { load: runsElsewhere, turns: turnsTaken };
  const explained = explainWaiting(waiting, { candidatesOf, rootUserId, shares, mayUseCommon });
  return { assignments, unreadable, turnsTaken, ...explained };
}

/** Those that cannot be read are noted and left out. */
function readableRuns(
  runs: readonly StagedRun[],
  candidatesOf: (userId: string) => Candidates,
  unreadable: Map<string, string>,
): ReadableRun[] {
  const readable: ReadableRun[] = [];
  const shapes = new Shapes();
  for (const run of runs) {
    if (run.request.ok) {
      const request = run.request.value;
      const { ownerId } = run;
      const shape = shapes.of(
        { request, controllers: run.controllers, avoid: run.avoid },
        candidatesOf(ownerId).userClass,
      );
      readable.push({ run, request, shape, ownerId, priority: request.priority });
    } else {
      unreadable.set(run.uuid, run.request.problem);
    }
  }
  return readable;
}

function choose(
  run: StagedRun,
  request: ResourceRequest,
  candidates: Candidates,
  options: { mayUseCommon: boolean; rootUserId: string },
): WorkerView | undefined {
  const qualifies = (view: WorkerView): boolean =>
    hasRoom(view, request) &&
    canRunImage(view, request) &&
    mayTake(view, run, options.rootUserId) &&
    !run.avoid.has(view.worker.key);
  const near = candidates.near.filter(qualifies);
  const common = near.length > 0 || !options.mayUseCommon ? [] : candidates.common.filter(qualifies);
  return bestWorker(run, near, common);
}
