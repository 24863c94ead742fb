import type { Line, QueuedRun, UserBacklog } from './backlog.ts';
import { candidateIndex, type Candidates } from './candidates.ts';
import { canRunImage, hasRoom, mayTake, occupy, viewsOf, type Asker, type WorkerView } from './pool.ts';
import type { PlanInput } from './plan-types.ts';
import { bestWorker } from './preference.ts';
import type { ResourceRequest } from './request.ts';
import type { PlacedRun } from './service-order.ts';
import { Shapes, type Shape } from './shape.ts';
import { beginRound, Turns } from './turns.ts';
import { explainWaiting, type Explanation } from './waiting.ts';

export interface BacklogInput extends Omit<PlanInput, 'runs'> {
  readonly backlog: readonly UserBacklog[];
  /** Runs to be placed at most; as many as possible when not given. */
  readonly most?: number;
}

/** A run and the worker it goes to. */
export interface Placement {
  readonly run: QueuedRun;
  readonly line: Line;
  readonly ownerId: string;
  /** Its key. */
  readonly worker: string;
}

export interface BacklogPlan {
  /** In the order they were decided. */
  readonly placements: readonly Placement[];
  /** How often each user's runs went to workers of others since they wait, for the next plan. */
  readonly turnsTaken: ReadonlyMap<string, number>;
  /** Why the others wait; undefined where more may be placed, so that nobody knows yet. */
  readonly explanation: Explanation | undefined;
}

/**
 * Decides which staged runs start where, and why the others wait (execution.md §13). Pure and deterministic; leaves the backlog
 * untouched.
 *
 * Within a pass resources and quotas only shrink. So once a run found no worker, no later run of the same shape can find one, and
 * whole lines are passed over: what a plan costs grows with the lines, and with what it places, not with the runs that wait.
 */
export function planBacklog(input: BacklogInput): BacklogPlan {
  const { backlog, rootUserId, most = Number.POSITIVE_INFINITY } = input;
  const candidatesOf = candidateIndex(viewsOf(input), rootUserId);
  const shapeOf = shapesOf(backlog, candidatesOf);
  const parallelRunsLeft = new Map(input.parallelRunsLeft);
  const runsElsewhere = new Map(input.runsElsewhere);
  const mayUseCommon = (userId: string): boolean =>
    (parallelRunsLeft.get(userId) ?? Number.POSITIVE_INFINITY) > 0;
  const whereOf = (userId: string) => (mayUseCommon(userId) ? 'withCommon' : 'nearOnly');
  const placements: Placement[] = [];
  const placed = new Map<string, PlacedRun[]>();

  const turnsTaken = beginRound(
    input.turnsTaken,
    backlog.map(({ ownerId }) => ownerId),
  );
  const turns = new Turns(
    backlog,
    { load: runsElsewhere, turns: turnsTaken },
    (line, ownerId) => shapeOf(line).hopeless[whereOf(ownerId)],
  );
  for (let turn = turns.next(); turn !== undefined && placements.length < most; turn = turns.next()) {
    const { run, line, ownerId } = turn;
    const { request, avoid, controllers } = line;
    const common = mayUseCommon(ownerId);
    const chosen = choose(run, { ownerId, avoid, controllers }, request, candidatesOf(ownerId), {
      mayUseCommon: common,
      rootUserId,
    });
    if (chosen === undefined) {
      shapeOf(line).hopeless[whereOf(ownerId)] = true;
      continue;
    }
    occupy(chosen, request);
    placements.push({ run, line, ownerId, worker: chosen.worker.key });
    const own = placed.get(ownerId);
    const { priority } = request;
    if (own === undefined) placed.set(ownerId, [{ run, priority }]);
    else own.push({ run, priority });
    const isShared = chosen.worker.ownerId !== ownerId;
    turns.placed(isShared);
    if (!isShared) continue;
    runsElsewhere.set(ownerId, (runsElsewhere.get(ownerId) ?? 0) + 1);
    turnsTaken.set(ownerId, (turnsTaken.get(ownerId) ?? 0) + 1);
    const left = parallelRunsLeft.get(ownerId);
    if (left !== undefined) parallelRunsLeft.set(ownerId, left - 1);
  }
  const shares = { load: runsElsewhere, turns: turnsTaken };
  const after = { placed, shapeOf, candidatesOf, rootUserId, shares, mayUseCommon };
  const explanation = placements.length < most ? explainWaiting(backlog, after) : undefined;
  return { placements, turnsTaken, explanation };
}

function shapesOf(
  backlog: readonly UserBacklog[],
  candidatesOf: (userId: string) => Candidates,
): (line: Line) => Shape {
  const shapes = new Shapes();
  const known = new Map<Line, Shape>();
  for (const { ownerId, lines } of backlog) {
    const { userClass } = candidatesOf(ownerId);
    for (const line of lines) known.set(line, shapes.of(line, userClass));
  }
  return (line) => {
    const shape = known.get(line);
    if (shape === undefined) throw new Error('A line that is in no backlog has no shape');
    return shape;
  };
}

function choose(
  run: QueuedRun,
  asker: Asker,
  request: ResourceRequest,
  candidates: Candidates,
  options: { mayUseCommon: boolean; rootUserId: string },
): WorkerView | undefined {
  const qualifies = (view: WorkerView): boolean =>
    hasRoom(view, request) &&
    canRunImage(view, request) &&
    mayTake(view, asker, options.rootUserId) &&
    !asker.avoid.has(view.worker.key);
  const near = candidates.near.filter(qualifies);
  const common = near.length > 0 || !options.mayUseCommon ? [] : candidates.common.filter(qualifies);
  return bestWorker(run, near, common);
}
