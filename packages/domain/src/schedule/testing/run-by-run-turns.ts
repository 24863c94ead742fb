/*
 * Whose run is looked at next (execution.md §13.1, decision 711). Among users, the one who has the fewest runs on workers of others
 * has the turn; of those, the one who has been served least since runs of theirs wait; of those, the one whose next place in
 * creation order is the oldest. So a thousand waiting runs of one user cost another's few nothing. Among a user's own runs, higher
 * priorities go first, and older ones among equals.
 */

interface Schedulable {
  ownerId: string;
  /** 0 when not given. */
  priority: number;
}

interface Queue<Run> {
  readonly ownerId: string;
  /** In the order they are served. */
  readonly runs: Run[];
  /** Places in creation order; a user's next run stands on the oldest that is left. */
  readonly places: number[];
  /** How many of `runs` have been handed out. */
  next: number;
  load: number;
  turns: number;
}

/** What each user has had of the workers of others; none where a user is not listed. */
export interface Shares {
  /** Runs there now. */
  readonly load: ReadonlyMap<string, number>;
  /** Runs that went there since runs of the user wait without a pause. */
  readonly turns: ReadonlyMap<string, number>;
}

/** Hands out runs one by one; each `next` is followed by `took` where the run got a place on somebody else's worker. */
export class Turns<Run extends Schedulable> {
  /** A binary heap: the user whose turn it is comes first. */
  readonly #queues: Queue<Run>[];

  /** @param runs in creation order. */
  constructor(runs: readonly Run[], { load, turns }: Shares) {
    const queues = new Map<string, Queue<Run>>();
    for (const [place, run] of runs.entries()) {
      const { ownerId } = run;
      const queue =
        queues.get(ownerId) ?? newQueue<Run>(ownerId, load.get(ownerId) ?? 0, turns.get(ownerId) ?? 0);
      queues.set(ownerId, queue);
      queue.runs.push(run);
      queue.places.push(place);
    }
    for (const queue of queues.values()) queue.runs.sort((one, other) => other.priority - one.priority);
    // A sorted list is a heap.
    this.#queues = [...queues.values()].toSorted((one, other) => (comesFirst(one, other) ? -1 : 1));
  }

  next(): Run | undefined {
    this.#settle();
    const queue = this.#queues[0];
    if (queue === undefined) return undefined;
    const run = queue.runs[queue.next];
    queue.next += 1;
    return run;
  }

  /** The run handed out last has been placed where its owner shares with others. */
  took(): void {
    const queue = this.#queues[0];
    if (queue === undefined) return;
    queue.load += 1;
    queue.turns += 1;
  }

  /** Puts the user who was served last where he belongs now, and forgets one who has nothing left. */
  #settle(): void {
    const heap = this.#queues;
    let moving = heap[0];
    if (moving !== undefined && moving.next === moving.runs.length) {
      const last = heap.pop();
      if (last === undefined || last === moving) return;
      moving = last;
    }
    if (moving === undefined) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      const isRight = left !== undefined && right !== undefined && comesFirst(right, left);
      const smaller = isRight ? right : left;
      if (smaller === undefined || !comesFirst(smaller, moving)) break;
      heap[at] = smaller;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = moving;
  }
}

/** The runs in the order they are served when every one of them finds a place on somebody else's worker. */
export function orderRuns<Run extends Schedulable>(
  runs: readonly Run[],
  shares: Shares = { load: new Map(), turns: new Map() },
): Run[] {
  const turns = new Turns(runs, shares);
  const ordered: Run[] = [];
  for (let run = turns.next(); run !== undefined; run = turns.next()) {
    ordered.push(run);
    turns.took();
  }
  return ordered;
}

/**
 * The turns with which a round begins: whoever waits anew has had as many as the one who has had fewest, so that nobody saves
 * turns up by not needing any, and nobody is served for hours because of a late start.
 *
 * @param waiting everybody with waiting runs.
 */
export function beginRound(
  turns: ReadonlyMap<string, number>,
  waiting: Iterable<string>,
): Map<string, number> {
  const users = [...new Set(waiting)];
  const known = users.map((user) => turns.get(user)).filter((count) => count !== undefined);
  const fewest = known.length === 0 ? 0 : known.reduce((least, count) => Math.min(least, count));
  return new Map(users.map((user) => [user, (turns.get(user) ?? fewest) - fewest]));
}

function newQueue<Run>(ownerId: string, load: number, turns: number): Queue<Run> {
  return { ownerId, runs: [], places: [], next: 0, load, turns };
}

function comesFirst<Run>(one: Queue<Run>, other: Queue<Run>): boolean {
  if (one.load !== other.load) return one.load < other.load;
  if (one.turns !== other.turns) return one.turns < other.turns;
  return (one.places[one.next] ?? 0) < (other.places[other.next] ?? 0);
}
