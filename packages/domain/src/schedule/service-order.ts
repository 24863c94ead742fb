/* The order in which a user's own runs are served: by priority, then by age. Nothing of it is written down; it is counted. */
import type { QueuedRun, UserBacklog } from './backlog.ts';

/** One user's waiting runs, without those that were placed meanwhile. */
export class ServiceOrder {
  readonly #user: UserBacklog;
  /** For each priority, its runs and how many come before them. */
  readonly #levels = new Map<
    number,
    { readonly before: number; readonly level: UserBacklog['levels'][number] }
  >();
  /** Positions in creation order of what was placed, ascending. */
  readonly #placed: readonly number[];
  readonly #placedRuns: readonly PlacedRun[];

  constructor(user: UserBacklog, placed: readonly PlacedRun[] = []) {
    this.#user = user;
    this.#placedRuns = placed;
    this.#placed = placed
      .map(({ run }) => user.runs.countBefore(run.place))
      .toSorted((one, other) => one - other);
    let before = 0;
    for (const level of user.levels) {
      this.#levels.set(level.priority, { before, level });
      before += level.runs.size;
    }
  }

  /** How many of the user's runs are served before the run. */
  positionOf({ place }: QueuedRun, priority: number): number {
    const found = this.#levels.get(priority);
    const all = found === undefined ? 0 : found.before + found.level.runs.countBefore(place);
    const gone = this.#placedRuns.filter(
      ({ priority: other, run }) => other > priority || (other === priority && run.place < place),
    );
    return all - gone.length;
  }

  /** The place in creation order of one of the user's runs, counted from the oldest. */
  placeAt(position: number): number {
    let at = position;
    for (const gone of this.#placed) {
      if (gone > at) break;
      at += 1;
    }
    return this.#user.runs.at(at)?.place ?? 0;
  }
}

export interface PlacedRun {
  readonly run: QueuedRun;
  readonly priority: number;
}
