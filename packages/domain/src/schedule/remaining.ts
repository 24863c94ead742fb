/* What still waits after a pass, in the order in which it will be served if nothing but that happens. */
import type { Line, QueuedRun, UserBacklog } from './backlog.ts';
import { ServiceOrder, type PlacedRun } from './service-order.ts';
import type { Shares } from './turns.ts';

/** When a run will be served: the runs of all users, each followed by a turn of theirs, ascend by this. */
export interface Moment {
  readonly load: number;
  readonly turns: number;
  readonly place: number;
}

/** The runs of a line that were not placed. */
export interface WaitingLine {
  readonly ownerId: string;
  readonly line: Line;
  /** How many there are; at least one. */
  readonly size: number;
  readonly first: QueuedRun;
  readonly moment: Moment;
  /** The run that many behind the first, and when it will be served. */
  at(position: number): { readonly run: QueuedRun; readonly moment: Moment } | undefined;
}

/** Ordered by when the first run of each is served. */
export function remaining(
  backlog: readonly UserBacklog[],
  { placed, shares }: { readonly placed: ReadonlyMap<string, readonly PlacedRun[]>; readonly shares: Shares },
): WaitingLine[] {
  const lines: WaitingLine[] = [];
  for (const user of backlog) {
    const { ownerId } = user;
    const gone = placed.get(ownerId) ?? [];
    const order = new ServiceOrder(user, gone);
    const goneRuns = new Set(gone.map(({ run }) => run));
    const load = shares.load.get(ownerId) ?? 0;
    const turns = shares.turns.get(ownerId) ?? 0;
    for (const line of user.lines) {
      const start = firstRemaining(line, goneRuns);
      const { priority } = line.request;
      const at: WaitingLine['at'] = (position) => {
        const run = line.runs.at(start + position);
        if (run === undefined) return undefined;
        // Each run that is served before it takes one of the user's turns.
        const before = order.positionOf(run, priority);
        return { run, moment: { load: load + before, turns: turns + before, place: order.placeAt(before) } };
      };
      const first = at(0);
      if (first === undefined) continue;
      lines.push({
        ownerId,
        line,
        size: line.runs.size - start,
        first: first.run,
        moment: first.moment,
        at,
      });
    }
  }
  return lines.sort((one, other) => (isEarlier(one.moment, other.moment) ? -1 : 1));
}

/** Runs of a line are placed from its beginning. */
function firstRemaining({ runs }: Line, gone: ReadonlySet<QueuedRun>): number {
  let start = 0;
  for (let run = runs.at(0); run !== undefined && gone.has(run); run = runs.at(start)) start += 1;
  return start;
}

export function isEarlier(one: Moment, other: Moment): boolean {
  if (one.load !== other.load) return one.load < other.load;
  if (one.turns !== other.turns) return one.turns < other.turns;
  return one.place < other.place;
}
