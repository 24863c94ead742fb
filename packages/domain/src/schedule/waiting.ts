/* Why runs wait that no worker took in a pass, and which workers will probably take the first of them. */
import type { Candidates } from './candidates.ts';
import { hintsPerWorker, type Hint, type Plan, type ReadableRun } from './plan-types.ts';
import { canRunImage, couldHaveRoom, mayTake, type WorkerView } from './pool.ts';
import { bestWorker } from './preference.ts';
import { waitingReason, type Ahead } from './reason.ts';
import { orderRuns, type Shares } from './turns.ts';

export interface AfterPass {
  candidatesOf: (userId: string) => Candidates;
  rootUserId: string;
  /** This pass included. */
  shares: Shares;
  mayUseCommon: (userId: string) => boolean;
  /** Equal for runs that qualify for the same workers. */
  shapeOf: (run: ReadableRun) => string;
}

/** The workers that a shape of runs may still hope for. */
interface Hopes {
  near: WorkerView[];
  common: WorkerView[];
}

/** Highest priority of the waiting runs of each user that hope for a worker. */
type Claims = Map<string, number>;

/** @param waiting in creation order. */
export function explainWaiting(
  waiting: readonly ReadableRun[],
  after: AfterPass,
): Pick<Plan, 'reasons' | 'hints'> {
  const reasons = new Map<string, string>();
  const hints: Hint[] = [];
  const hinted = new Map<WorkerView, number>();
  const hopesByShape = new Map<string, Hopes>();
  const reasonByCase = new Map<string, string>();
  const claims = new Map<WorkerView, Claims>();
  for (const turn of orderRuns(waiting, after.shares)) {
    const { run, request, ownerId } = turn;
    const shape = after.shapeOf(turn);
    const candidates = after.candidatesOf(ownerId);
    const mayUseCommon = after.mayUseCommon(ownerId);
    const hopes = hopesByShape.get(shape) ?? hopesOf(turn, candidates, mayUseCommon, after.rootUserId);
    hopesByShape.set(shape, hopes);
    const ahead = aheadOf(turn, hopes, claims);
    claim(turn, hopes, claims);

    const runsElsewhere = mayUseCommon ? 0 : (after.shares.load.get(ownerId) ?? 0);
    const which = `${ahead} ${runsElsewhere} ${shape}`;
    const reason =
      reasonByCase.get(which) ??
      waitingReason(run, request, candidates, {
        mayUseCommon,
        rootUserId: after.rootUserId,
        runsElsewhere,
        ahead,
      });
    reasonByCase.set(which, reason);
    reasons.set(run.uuid, reason);

    const likely = likelyWorker(turn, hopes, hinted);
    if (likely === undefined) continue;
    hinted.set(likely, (hinted.get(likely) ?? 0) + 1);
    if (likely.worker.takesHints) hints.push({ run: run.uuid, worker: likely.worker.key });
  }
  return { reasons, hints };
}

function hopesOf(
  { run, request }: ReadableRun,
  candidates: Candidates,
  mayUseCommon: boolean,
  rootUserId: string,
): Hopes {
  const isHope = (view: WorkerView): boolean =>
    couldHaveRoom(view, request) &&
    canRunImage(view, request) &&
    mayTake(view, run, rootUserId) &&
    !run.avoid.has(view.worker.key);
  return {
    near: candidates.near.filter(isHope),
    common: mayUseCommon ? candidates.common.filter(isHope) : [],
  };
}

function aheadOf(
  { ownerId, priority }: ReadableRun,
  { near, common }: Hopes,
  claims: ReadonlyMap<WorkerView, Claims>,
): Ahead {
  let ahead: Ahead = 'nobody';
  for (const view of [...near, ...common]) {
    const claimed = claims.get(view);
    if (claimed === undefined) continue;
    if ((claimed.get(ownerId) ?? Number.NEGATIVE_INFINITY) > priority) return 'own priority';
    ahead = 'others';
  }
  return ahead;
}

function claim(
  { ownerId, priority }: ReadableRun,
  { near, common }: Hopes,
  claims: Map<WorkerView, Claims>,
): void {
  for (const view of [...near, ...common]) {
    const claimed: Claims = claims.get(view) ?? new Map();
    claims.set(view, claimed);
    claimed.set(ownerId, Math.max(priority, claimed.get(ownerId) ?? Number.NEGATIVE_INFINITY));
  }
}

/** Each worker is thought of for a few runs only: beyond those nobody can tell. */
function likelyWorker(
  { run }: ReadableRun,
  { near, common }: Hopes,
  hinted: ReadonlyMap<WorkerView, number>,
): WorkerView | undefined {
  const isOpen = (view: WorkerView): boolean => (hinted.get(view) ?? 0) < hintsPerWorker;
  return bestWorker(run, near.filter(isOpen), common.filter(isOpen));
}
