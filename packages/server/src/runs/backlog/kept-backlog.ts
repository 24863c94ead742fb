/*
 * The backlog as this process keeps it from pass to pass. Events say which runs to look at again; everything is looked over after a
 * start, after a pass that failed, on the safety tick, and whenever another server planned meanwhile: what its users changed was
 * told to it and not to us, and each such change makes it plan.
 */
import type { DependencyEntries } from '../../contents/dependency-entries.ts';
import type { UnitOfWork } from '../../database/unit-of-work.ts';
import type { WorkerKey } from '../../workers/worker-key.ts';
import type { RequestSettings } from '@sheaf/domain';
import { AssignedRuns } from './assigned-runs.ts';
import { Backlog } from './backlog.ts';
import { readAllGrants } from './grants.ts';
import { takePlanning } from './planner-mark.ts';
import { readWaiting } from './read-waiting.ts';

const mostUuids = 5000;

export class KeptBacklog {
  readonly runs = new Backlog();
  readonly assigned: AssignedRuns;
  readonly #entries: DependencyEntries;
  readonly #server: string;
  readonly #makes = new Map<string, number>();
  #changed = new Set<string>();
  #grantsChanged = false;
  /** Somebody has reason to believe that not all was told. */
  #looksOver = true;
  /** Whether the last pass that read was committed. */
  #isCommitted = false;

  /** @param server this process, among all that ever work on the database */
  constructor(entries: DependencyEntries, settings: RequestSettings, server: string) {
    this.#entries = entries;
    this.assigned = new AssignedRuns(settings);
    this.#server = server;
  }

  /** How often everything was looked over. */
  lookedOver = 0;

  /** Make bundles that can be made, in creation order. */
  get makes(): string[] {
    return [...this.#makes].toSorted(([, one], [, other]) => one - other).map(([uuid]) => uuid);
  }

  /** Whether exactly this of the run is known. */
  knows(uuid: string, version: number): boolean {
    return this.runs.get(uuid)?.version === version;
  }

  /** Something about the run, or who has it, is different now. */
  noteChange(uuid: string): void {
    this.#changed.add(uuid);
  }

  noteWorker(worker: WorkerKey): void {
    for (const uuid of this.assigned.of(worker)) this.#changed.add(uuid);
  }

  noteAccess(): void {
    this.#grantsChanged = true;
  }

  /** The next pass is to look everything over. */
  noteAnything(): void {
    this.#looksOver = true;
  }

  /**
   * Reads what has changed, inside a pass. What it keeps is taken for true only when that pass `wasCommitted`.
   * @param changed bundles that the pass itself has changed
   */
  async bringUpToDate(unit: UnitOfWork, changed: Iterable<string>, now: number): Promise<void> {
    const wasMine = await takePlanning(unit, this.#server);
    const isTrue = this.#isCommitted && wasMine && !this.#looksOver;
    this.#isCommitted = false;
    this.#looksOver = false;
    const looked = new Set([...this.#changed, ...changed]);
    const grantsChanged = this.#grantsChanged;
    // What is told from here on is for the next pass: another connection may commit it while this one reads.
    this.#changed = new Set();
    this.#grantsChanged = false;
    if (isTrue) await this.#look(unit, looked, now);
    else await this.#lookOver(unit, now);
    if (grantsChanged || !isTrue) await this.#lookAtGrants(unit, now);
  }

  wasCommitted(): void {
    this.#isCommitted = true;
  }

  async #look(unit: UnitOfWork, uuids: ReadonlySet<string>, now: number): Promise<void> {
    if (uuids.size === 0) return;
    const all = [...uuids];
    for (let start = 0; start < all.length; start += mostUuids) {
      const some = all.slice(start, start + mostUuids);
      const rows = await unit.queries
        .selectFrom('bundle')
        .select(['id', 'uuid', 'bundle_type', 'version'])
        .where('uuid', 'in', some)
        .where('state', '=', 'staged')
        .execute();
      await this.#take(unit, rows, some, now);
    }
    await this.assigned.refresh(unit, uuids);
  }

  async #lookOver(unit: UnitOfWork, now: number): Promise<void> {
    this.lookedOver += 1;
    const rows = await unit.queries
      .selectFrom('bundle')
      .select(['id', 'uuid', 'bundle_type', 'version'])
      .where('state', '=', 'staged')
      .orderBy('id')
      .execute();
    await this.#take(unit, rows, [...this.runs.uuids, ...this.#makes.keys()], now);
    await this.assigned.refresh(unit, 'all');
  }

  /** @param rows what is staged of what was looked at */
  async #take(
    unit: UnitOfWork,
    rows: readonly { id: number; uuid: string; bundle_type: string; version: number }[],
    lookedAt: readonly string[],
    now: number,
  ): Promise<void> {
    const there = new Map(rows.map((row) => [row.uuid, row]));
    for (const uuid of lookedAt) {
      if (there.get(uuid)?.bundle_type !== 'run') this.runs.remove(uuid);
      if (there.get(uuid)?.bundle_type !== 'make') this.#makes.delete(uuid);
    }
    const news: string[] = [];
    for (const { id, uuid, bundle_type: type, version } of rows) {
      if (type === 'make') this.#makes.set(uuid, id);
      if (type === 'run' && !this.knows(uuid, version)) news.push(uuid);
    }
    for (const run of await readWaiting(unit, this.#entries, news)) this.runs.put(run, now);
  }

  async #lookAtGrants(unit: UnitOfWork, now: number): Promise<void> {
    const grants = await readAllGrants(unit);
    for (const uuid of this.runs.uuids) {
      const run = this.runs.get(uuid);
      const groups = grants.get(uuid) ?? [];
      if (run === undefined || isSame(run.grants, groups)) continue;
      this.runs.put({ ...run, grants: groups }, now);
    }
  }
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((group, at) => group === other[at]);
}
