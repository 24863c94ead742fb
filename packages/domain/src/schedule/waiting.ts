/* Why runs wait that no worker took in a pass, and which workers will probably take the first of them. */
import type { Line, UserBacklog } from './backlog.ts';
import type { Candidates } from './candidates.ts';
import { Forecast } from './forecast.ts';
import { hopesOf, type Hopes } from './hopes.ts';
import type { WorkerView } from './pool.ts';
import type { Hint } from './plan-types.ts';
import { waitingReason, type Ahead } from './reason.ts';
import { remaining, type WaitingLine } from './remaining.ts';
import type { PlacedRun } from './service-order.ts';
import type { Shape } from './shape.ts';
import type { Shares } from './turns.ts';

export interface AfterPass {
  /** By user, in the order they were placed. */
  readonly placed: ReadonlyMap<string, readonly PlacedRun[]>;
  readonly shapeOf: (line: Line) => Shape;
  readonly candidatesOf: (userId: string) => Candidates;
  readonly rootUserId: string;
  /** This pass included. */
  readonly shares: Shares;
  readonly mayUseCommon: (userId: string) => boolean;
}

/** Why the runs of a line wait: the first of them has, perhaps, nobody before it. */
export interface LineReasons {
  /** Uuid of the first. */
  readonly first: string;
  readonly ofFirst: string;
  readonly ofOthers: string;
}

export interface Explanation {
  /** For every line with runs that wait. */
  readonly lines: ReadonlyMap<Line, LineReasons>;
  /** For the first waiting runs; a few a worker. */
  readonly hints: Hint[];
}

export function explainWaiting(backlog: readonly UserBacklog[], after: AfterPass): Explanation {
  const lines = new Map<Line, LineReasons>();
  const hopesByShape = new Map<string, Hopes>();
  const hopesOfLine = new Map<WaitingLine, Hopes>();
  const queue = new Queue();
  const waiting = remaining(backlog, after);
  // Only the first run of a line changes anything for those that follow, so only it is looked at.
  for (const one of waiting) {
    const { line, ownerId, first } = one;
    const candidates = after.candidatesOf(ownerId);
    const mayUseCommon = after.mayUseCommon(ownerId);
    const { id } = after.shapeOf(line);
    const which = mayUseCommon ? String(id) : `${id} near`;
    const { request, avoid, controllers } = line;
    const asker = { ownerId, avoid, controllers };
    let hopes = hopesByShape.get(which);
    if (hopes === undefined) {
      hopes = hopesOf(asker, line, candidates, mayUseCommon, after.rootUserId);
      hopesByShape.set(which, hopes);
    }
    hopesOfLine.set(one, hopes);
    const { reasons } = hopes;
    const ahead = queue.enter(one, hopes);
    const runsElsewhere = mayUseCommon ? 0 : (after.shares.load.get(ownerId) ?? 0);
    const reasonOf = (who: Ahead): string => {
      const situation = `${who} ${runsElsewhere}`;
      const known = reasons.get(situation);
      if (known !== undefined) return known;
      const { rootUserId } = after;
      const given = { mayUseCommon, rootUserId, runsElsewhere, ahead: who };
      const reason = waitingReason(asker, request, candidates, given);
      reasons.set(situation, reason);
      return reason;
    };
    lines.set(line, {
      first: first.uuid,
      ofFirst: reasonOf(ahead.first),
      ofOthers: one.size > 1 ? reasonOf(ahead.others) : '',
    });
  }
  const forecast = new Forecast();
  forecast.look(waiting, hopesOfLine);
  return { lines, hints: forecast.hints };
}

/** Who waits for which worker, in the order of service. */
class Queue {
  readonly #wanted = new Set<WorkerView>();
  /** The highest priority with which each user waits for a pool: that of the first who comes. */
  readonly #priorities = new Map<string, number>();

  /** Adds a line. Answers who is served before its first run, and before the others. */
  enter({ ownerId, line }: WaitingLine, hopes: Hopes): { first: Ahead; others: Ahead } {
    const { near, common, pool } = hopes;
    if (pool === '') return { first: 'nobody', others: 'nobody' };
    const { priority } = line.request;
    const own = `${ownerId}\n${pool}`;
    const highest = this.#priorities.get(own);
    if (highest === undefined) this.#priorities.set(own, priority);
    const before = hopes.contended || near.some(this.#isWanted) || common.some(this.#isWanted);
    if (!hopes.contended) {
      hopes.contended = true;
      for (const view of near) this.#wanted.add(view);
      for (const view of common) this.#wanted.add(view);
    }
    if (highest !== undefined && highest > priority) return { first: 'own priority', others: 'own priority' };
    return { first: before ? 'others' : 'nobody', others: 'others' };
  }

  readonly #isWanted = (view: WorkerView): boolean => this.#wanted.has(view);
}
