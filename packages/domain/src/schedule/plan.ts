import { candidateIndex, type Candidates } from './candidates.ts';
import { orderRuns } from './order.ts';
import { canRunImage, hasRoom, mayTake, occupy, viewsOf, type WorkerView } from './pool.ts';
import type { Assignment, Plan, PlanInput, StagedRun } from './plan-types.ts';
import { bestWorker } from './preference.ts';
import { waitingReason } from './reason.ts';
import type { ResourceRequest } from './request.ts';

/**
 * Decides which staged runs start where, and why the others wait (execution.md §13). Pure and deterministic; never gives a
 * worker more than it has.
 *
 * Within a pass resources and quotas only shrink. So once a run found no worker, no later run of the same shape can find
 * one, and it gets the same reason without another look: ten thousand equal waiting runs cost about as much as one.
 */
export function plan(input: PlanInput): Plan {
  const assignments: Assignment[] = [];
  const reasons = new Map<string, string>();
  const unreadable = new Map<string, string>();
  const parallelRunsLeft = new Map(input.parallelRunsLeft);
  const candidatesOf = candidateIndex(viewsOf(input), input.rootUserId);
  const reasonByShape = new Map<string, string>();

  for (const { run, request } of readableRuns(input.runs, unreadable)) {
    const candidates = candidatesOf(run.ownerId);
    const mayUseCommon = (parallelRunsLeft.get(run.ownerId) ?? Number.POSITIVE_INFINITY) > 0;
    const shape = shapeOf(run, request, candidates.userClass, mayUseCommon);
    const known = reasonByShape.get(shape);
    if (known !== undefined) {
      reasons.set(run.uuid, known);
      continue;
    }
    const chosen = choose(run, request, candidates, { mayUseCommon, rootUserId: input.rootUserId });
    if (chosen === undefined) {
      const reason = waitingReason(run, request, candidates, { mayUseCommon, rootUserId: input.rootUserId });
      reasonByShape.set(shape, reason);
      reasons.set(run.uuid, reason);
      continue;
    }
    occupy(chosen, request);
    assignments.push({ run: run.uuid, worker: chosen.worker.key });
    const left = parallelRunsLeft.get(run.ownerId);
    if (left !== undefined && chosen.worker.ownerId !== run.ownerId)
      parallelRunsLeft.set(run.ownerId, left - 1);
  }
  return { assignments, reasons, unreadable };
}

interface ReadableRun {
  run: StagedRun;
  request: ResourceRequest;
}

/** The runs in the order they are served; those that cannot be read are noted and left out. */
function readableRuns(runs: readonly StagedRun[], unreadable: Map<string, string>): ReadableRun[] {
  const readable: (ReadableRun & { ownerId: string; priority: number })[] = [];
  for (const run of runs) {
    if (run.request.ok) {
      readable.push({
        run,
        request: run.request.value,
        ownerId: run.ownerId,
        priority: run.request.value.priority,
      });
    } else {
      unreadable.set(run.uuid, run.request.problem);
    }
  }
  return orderRuns(readable);
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

/** Equal for runs that qualify for the same workers, whatever has been booked. */
function shapeOf(run: StagedRun, request: ResourceRequest, userClass: string, mayUseCommon: boolean): string {
  const { cpus, gpus, memory, disk, queue, imageRequested } = request;
  const sets =
    run.controllers.size + run.avoid.size > 0
      ? [[...run.controllers].toSorted(), [...run.avoid].toSorted()]
      : [];
  return JSON.stringify([userClass, mayUseCommon, cpus, gpus, memory, disk, queue, imageRequested, sets]);
}
