/* Why runs wait that no worker took in a pass, and which workers will probably take the first of them. */
import type { Candidates } from '../candidates.ts';
import { hintsPerWorker, mostHints, type Hint, type Plan, type StagedRun } from '../plan-types.ts';
import { canRunImage, couldHaveRoom, mayTake, type WorkerView } from '../pool.ts';
import { bestWorker } from '../preference.ts';
import { waitingReason, type Ahead } from '../reason.ts';
import type { ResourceRequest } from '../request.ts';
import type { Shape } from '../shape.ts';
import { orderRuns, type Shares } from './run-by-run-turns.ts';

/** A run whose request could be read. */
export interface ReadableRun {
  run: StagedRun;
  request: ResourceRequest;
  shape: Shape;
  ownerId: string;
  priority: number;
}

export interface AfterPass {
  candidatesOf: (userId: string) => Candidates;
  rootUserId: string;
  /** This pass included. */
  shares: Shares;
  mayUseCommon: (userId: string) => boolean;
}

/** The workers that runs of one shape may still hope for. */
interface Hopes {
  near: WorkerView[];
  common: WorkerView[];
  /** Equal for shapes that hope for the same workers. */
  pool: string;
  /** Somebody waits for one of these workers already. */
  contended: boolean;
  reasons: Map<string, string>;
}

/** @param waiting in creation order. */
export function explainWaiting(
  waiting: readonly ReadableRun[],
  after: AfterPass,
): Pick<Plan, 'reasons' | 'hints'> {
  const reasons = new Map<string, string>();
  const hopesByShape = new Map<string, Hopes>();
  const queue = new Queue();
  const forecast = new Forecast();
  for (const turn of orderRuns(waiting, after.shares)) {
    const { run, request, ownerId, shape } = turn;
    const candidates = after.candidatesOf(ownerId);
    const mayUseCommon = after.mayUseCommon(ownerId);
    const which = mayUseCommon ? String(shape.id) : `${shape.id} near`;
    let hopes = hopesByShape.get(which);
    if (hopes === undefined) {
      hopes = hopesOf(turn, candidates, mayUseCommon, after.rootUserId);
      hopesByShape.set(which, hopes);
    }
    const ahead = queue.enter(turn, hopes);
    const runsElsewhere = mayUseCommon ? 0 : (after.shares.load.get(ownerId) ?? 0);
    const situation = `${ahead} ${runsElsewhere}`;
    let reason = hopes.reasons.get(situation);
    if (reason === undefined) {
      const { rootUserId } = after;
      reason = waitingReason(run, request, candidates, { mayUseCommon, rootUserId, runsElsewhere, ahead });
      hopes.reasons.set(situation, reason);
    }
    reasons.set(run.uuid, reason);
    forecast.add(run, hopes);
  }
  return { reasons, hints: forecast.hints };
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
  const near = candidates.near.filter(isHope);
  const common = mayUseCommon ? candidates.common.filter(isHope) : [];
  const pool = [...near, ...common].map(({ worker }) => worker.key).join('\n');
  return { near, common, pool, contended: false, reasons: new Map() };
}

/** Who waits for which worker, in the order of service. */
class Queue {
  readonly #wanted = new Set<WorkerView>();
  /** The highest priority with which each user waits for a pool: that of the first who comes. */
  readonly #priorities = new Map<string, number>();

  /** Adds a run. Answers who is served before it. */
  enter({ ownerId, priority }: ReadableRun, hopes: Hopes): Ahead {
    const { near, common, pool } = hopes;
    if (pool === '') return 'nobody';
    const own = `${ownerId}\n${pool}`;
    const highest = this.#priorities.get(own);
    if (highest === undefined) this.#priorities.set(own, priority);
    const before = hopes.contended || near.some(this.#isWanted) || common.some(this.#isWanted);
    if (!hopes.contended) {
      hopes.contended = true;
      for (const view of near) this.#wanted.add(view);
      for (const view of common) this.#wanted.add(view);
    }
    if (highest !== undefined && highest > priority) return 'own priority';
    return before ? 'others' : 'nobody';
  }

  readonly #isWanted = (view: WorkerView): boolean => this.#wanted.has(view);
}

/** Which worker will probably take the first runs of the queue: a few each, beyond which nobody can tell. */
class Forecast {
  readonly hints: Hint[] = [];
  readonly #thoughtOf = new Map<WorkerView, number>();
  #looked = 0;

  add(run: StagedRun, { near, common }: Hopes): void {
    if (this.#looked >= mostHints || near.length + common.length === 0) return;
    this.#looked += 1;
    const isOpen = (view: WorkerView): boolean => (this.#thoughtOf.get(view) ?? 0) < hintsPerWorker;
    const likely = bestWorker(run, near.filter(isOpen), common.filter(isOpen));
    if (likely === undefined) return;
    this.#thoughtOf.set(likely, (this.#thoughtOf.get(likely) ?? 0) + 1);
    if (likely.worker.takesHints) this.hints.push({ run: run.uuid, worker: likely.worker.key });
  }
}
