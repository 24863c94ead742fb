/*
 * The runs that wait for a worker, in memory and in the order a pass walks them: by user, and each user's in lines of runs that ask
 * for the same. What is kept of a run is little; everything else is read when it starts.
 */
import { Ordered, type Metadata, type QueuedRun } from '@sheaf/domain';
import type { Attempts } from './attempts.ts';

/** A run that waits. Its place in creation order is its number in the table. */
export interface WaitingRun extends QueuedRun {
  readonly version: number;
  /** Empty where it belongs to nobody. */
  readonly ownerId: string;
  /** Undefined where the row cannot be read. */
  readonly asked: Metadata | undefined;
  readonly priority: number;
  /** Groups with everything on the run, sorted. */
  readonly grants: readonly string[];
  /** Undefined for a run that never was in a worker's hands. */
  readonly attempts: Attempts | undefined;
}

/** Runs of one user that may go to the same workers: they ask for the same, and agree in who may control and who has failed them. */
export interface BacklogLine {
  /** Equal for equal lines of one user. */
  readonly key: string;
  readonly ownerId: string;
  readonly asked: Metadata;
  readonly priority: number;
  readonly grants: readonly string[];
  /** Keys of workers. */
  readonly avoid: ReadonlySet<string>;
  readonly runs: Ordered<WaitingRun>;
}

export interface BacklogUser {
  readonly ownerId: string;
  readonly runs: Ordered<WaitingRun>;
  readonly lines: Map<string, BacklogLine>;
  /** By priority. */
  readonly levels: Map<number, Ordered<WaitingRun>>;
}

interface Kept {
  readonly run: WaitingRun;
  /** Undefined for a run that can only fail. */
  readonly line: BacklogLine | undefined;
}

export class Backlog {
  readonly #kept = new Map<string, Kept>();
  readonly #users = new Map<string, BacklogUser>();
  /** Runs that were spoilt before, whose workers to avoid change with time. */
  readonly #troubled = new Set<string>();
  /** Runs that wait in vain: nobody can read what they ask for, or they could not be started too often. */
  readonly #hopeless = new Set<string>();

  get size(): number {
    return this.#kept.size;
  }

  get users(): IterableIterator<BacklogUser> {
    return this.#users.values();
  }

  get uuids(): IterableIterator<string> {
    return this.#kept.keys();
  }

  get(uuid: string): WaitingRun | undefined {
    return this.#kept.get(uuid)?.run;
  }

  lineOf(uuid: string): BacklogLine | undefined {
    return this.#kept.get(uuid)?.line;
  }

  get hopeless(): WaitingRun[] {
    return [...this.#hopeless].flatMap((uuid) => this.get(uuid) ?? []);
  }

  /** Adds the run, or puts what is known of it now in the place of what was. @param now milliseconds since the epoch */
  put(run: WaitingRun, now: number): void {
    this.remove(run.uuid);
    const { uuid, asked, attempts, ownerId, priority, grants } = run;
    if (asked === undefined || attempts?.exhausted === true) {
      this.#hopeless.add(uuid);
      this.#kept.set(uuid, { run, line: undefined });
      return;
    }
    if (attempts?.isTroubled === true) this.#troubled.add(uuid);
    const user = this.#users.get(ownerId) ?? newUser(ownerId);
    this.#users.set(ownerId, user);
    const avoid = attempts?.avoidedAt(now) ?? none;
    const key = lineKeyOf(asked, avoid, grants);
    const line = user.lines.get(key) ?? { key, ownerId, asked, priority, grants, avoid, runs: new Ordered() };
    user.lines.set(key, line);
    const level = user.levels.get(priority) ?? new Ordered<WaitingRun>();
    user.levels.set(priority, level);
    // What all of a line have in common is kept once.
    const kept = { ...run, asked: line.asked, grants: line.grants };
    for (const runs of [user.runs, line.runs, level]) runs.add(kept);
    this.#kept.set(uuid, { run: kept, line });
  }

  remove(uuid: string): void {
    const kept = this.#kept.get(uuid);
    if (kept === undefined) return;
    this.#kept.delete(uuid);
    this.#troubled.delete(uuid);
    this.#hopeless.delete(uuid);
    const { run, line } = kept;
    const user = this.#users.get(run.ownerId);
    if (user === undefined || line === undefined) return;
    const level = user.levels.get(run.priority);
    for (const runs of [user.runs, line.runs, level]) runs?.remove(run.place);
    if (line.runs.size === 0) user.lines.delete(line.key);
    if (level?.size === 0) user.levels.delete(run.priority);
    if (user.runs.size === 0) this.#users.delete(run.ownerId);
  }

  /**
   * Puts runs that were spoilt where they belong at this time.
   * @returns milliseconds until the first of them may go back to a worker; undefined where none is kept from one
   */
  reconsider(now: number): number | undefined {
    let changesIn: number | undefined;
    for (const uuid of this.#troubled) {
      const kept = this.#kept.get(uuid);
      const { attempts, asked, grants } = kept?.run ?? {};
      if (kept === undefined || attempts === undefined || asked === undefined || grants === undefined)
        continue;
      if (lineKeyOf(asked, attempts.avoidedAt(now), grants) !== kept.line?.key) this.put(kept.run, now);
      const pause = attempts.pauseLeft(now);
      if (pause !== undefined) changesIn = Math.min(changesIn ?? pause, pause);
    }
    return changesIn;
  }
}

const none: ReadonlySet<string> = new Set();

function newUser(ownerId: string): BacklogUser {
  return { ownerId, runs: new Ordered(), lines: new Map(), levels: new Map() };
}

function lineKeyOf(asked: Metadata, avoid: ReadonlySet<string>, grants: readonly string[]): string {
  return JSON.stringify([asked, [...avoid].toSorted(), grants]);
}
