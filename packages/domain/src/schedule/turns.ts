/*
 * Whose run is looked at next (execution.md §13.1, decision 711). Among users, the one who has the fewest runs on workers of others
 * has the turn; of those, the one who has been served least since runs of theirs wait; of those, the one whose next place in
 * creation order is the oldest. So a thousand waiting runs of one user cost another's few nothing. Among a user's own runs, higher
 * priorities go first, and older ones among equals.
 *
 * A user's next place is that of as many of their oldest runs as come before in their own order: what is passed over because
 * nothing suits it counts as if it had been looked at one by one.
 */
import type { Line, QueuedRun, UserBacklog } from './backlog.ts';
import { Heap } from './heap.ts';
import { ServiceOrder } from './service-order.ts';

/** What each user has had of the workers of others; none where a user is not listed. */
export interface Shares {
  /** Runs there now. */
  readonly load: ReadonlyMap<string, number>;
  /** Runs that went there since runs of the user wait without a pause. */
  readonly turns: ReadonlyMap<string, number>;
}

/** A run that is looked at. */
export interface Turn {
  readonly ownerId: string;
  readonly line: Line;
  readonly run: QueuedRun;
}

interface OpenLine {
  readonly line: Line;
  /** How many of its runs have been placed. */
  next: number;
  /** Of the next run. */
  place: number;
}

interface User {
  readonly ownerId: string;
  readonly order: ServiceOrder;
  readonly lines: Heap<OpenLine>;
  load: number;
  turns: number;
  place: number;
}

/** Hands out the runs to look at; each `next` is followed by `placed` where the run got a place. */
export class Turns {
  readonly #users: Heap<User>;
  readonly #isClosed: (line: Line, ownerId: string) => boolean;

  /** @param isClosed whether no run of the line can find a place any more: it is passed over, from then on for good. */
  constructor(
    backlog: readonly UserBacklog[],
    { load, turns }: Shares,
    isClosed: (line: Line, ownerId: string) => boolean,
  ) {
    this.#isClosed = isClosed;
    const users = backlog.map((user): User => {
      const open = user.lines.flatMap((line) => {
        const first = line.runs.at(0);
        return first === undefined ? [] : [{ line, next: 0, place: first.place }];
      });
      return {
        ownerId: user.ownerId,
        order: new ServiceOrder(user),
        lines: new Heap(open, lineComesFirst),
        load: load.get(user.ownerId) ?? 0,
        turns: turns.get(user.ownerId) ?? 0,
        place: user.runs.at(0)?.place ?? 0,
      };
    });
    this.#users = new Heap(users, userComesFirst);
  }

  next(): Turn | undefined {
    for (;;) {
      const user = this.#users.first;
      if (user === undefined) return undefined;
      const open = this.#openLine(user);
      const run = open?.line.runs.at(open.next);
      if (open === undefined || run === undefined) {
        this.#users.removeFirst();
        continue;
      }
      const { ownerId, order } = user;
      user.place = order.placeAt(order.positionOf(run, open.line.request.priority));
      this.#users.settleFirst();
      if (this.#users.first === user) return { ownerId, line: open.line, run };
    }
  }

  /** The run handed out last has found a place. @param shared on somebody else's worker */
  placed(shared: boolean): void {
    const user = this.#users.first;
    const open = user?.lines.first;
    if (user === undefined || open === undefined) return;
    open.next += 1;
    const following = open.line.runs.at(open.next);
    if (following === undefined) user.lines.removeFirst();
    else {
      open.place = following.place;
      user.lines.settleFirst();
    }
    if (!shared) return;
    user.load += 1;
    user.turns += 1;
  }

  /** The line the user's next run stands in. */
  #openLine({ ownerId, lines }: User): OpenLine | undefined {
    for (let open = lines.first; open !== undefined; open = lines.first) {
      if (!this.#isClosed(open.line, ownerId)) return open;
      lines.removeFirst();
    }
    return undefined;
  }
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

function lineComesFirst(one: OpenLine, other: OpenLine): boolean {
  const first = one.line.request.priority;
  const second = other.line.request.priority;
  return first === second ? one.place < other.place : first > second;
}

function userComesFirst(one: User, other: User): boolean {
  if (one.load !== other.load) return one.load < other.load;
  if (one.turns !== other.turns) return one.turns < other.turns;
  return one.place < other.place;
}
