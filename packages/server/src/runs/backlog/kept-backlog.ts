/*
 * The backlog as this process keeps it from pass to pass. Events say which runs to look at again; everything is looked over after a
 * start, after a pass that failed, on the safety tick, and whenever another server planned meanwhile: what its users changed was
 * told to it and not to us, and each such change makes it plan.
 */
import { isOpen } from '../../bundles/open-bundles.ts';
import type { DependencyEntries } from '../../contents/dependency-entries.ts';
import { sql } from 'kysely';
import { inChunks } from '../../database/chunks.ts';
import type { UnitOfWork } from '../../database/unit-of-work.ts';
import type { WorkerKey } from '../../workers/worker-key.ts';
import type { RequestSettings } from '@sheaf/domain';
import { AssignedRuns } from './assigned-runs.ts';
import { Backlog } from './backlog.ts';
import { readAllGrants } from './grants.ts';
import { takePlanning } from './planner-mark.ts';
import { readWaiting } from './read-waiting.ts';

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
    const rows = await inChunks(uuids, (chunk) =>
      unit.queries
        .selectFrom('bundle')
        .select(['uuid', 'version'])
        .where('uuid', 'in', chunk)
        .where('state', '=', 'staged')
        .execute(),
    );
    const staged = new Set(rows.map(({ uuid }) => uuid));
    for (const uuid of uuids) if (!staged.has(uuid)) this.#forget(uuid);
    await this.#read(unit, rows, now);
    await this.assigned.refresh(unit, uuids);
  }

  async #lookOver(unit: UnitOfWork, now: number): Promise<void> {
    this.lookedOver += 1;
    const rows = await allStaged(unit);
    const staged = new Set(rows.map(({ uuid }) => uuid));
    for (const uuid of [...this.runs.uuids, ...this.#makes.keys()]) if (!staged.has(uuid)) this.#forget(uuid);
    await this.#read(unit, rows, now);
    await this.assigned.refresh(unit, 'all');
  }

  #forget(uuid: string): void {
    this.runs.remove(uuid);
    this.#makes.delete(uuid);
  }

  /** @param staged what waits of what was looked at */
  async #read(
    unit: UnitOfWork,
    staged: readonly { uuid: string; version: number }[],
    now: number,
  ): Promise<void> {
    const news = staged
      .filter(({ uuid, version }) => !this.knows(uuid, version) && !this.#makes.has(uuid))
      .map(({ uuid }) => uuid);
    if (news.length === 0) return;
    const makes = await inChunks(news, (chunk) =>
      unit.queries
        .selectFrom('bundle')
        .select(['id', 'uuid'])
        .where('uuid', 'in', chunk)
        .where('bundle_type', '=', 'make')
        .execute(),
    );
    for (const { id, uuid } of makes) this.#makes.set(uuid, id);
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

/** As one text: of so many rows, each by itself costs more than what it says. */
async function allStaged(unit: UnitOfWork): Promise<{ uuid: string; version: number }[]> {
  const { all } = await unit.queries
    .selectFrom('bundle')
    .select(sql<string | null>`string_agg(uuid || ' ' || version, ',')`.as('all'))
    .where(isOpen())
    .where('state', '=', 'staged')
    .executeTakeFirstOrThrow();
  if (all === null) return [];
  return all.split(',').map((text) => {
    const space = text.indexOf(' ');
    return { uuid: text.slice(0, space), version: Number(text.slice(space + 1)) };
  });
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((group, at) => group === other[at]);
}
