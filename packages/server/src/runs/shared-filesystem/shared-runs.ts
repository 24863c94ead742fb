/*
 * Runs whose directory their worker shares with this server (execution.md §24): woken by events, one thing at a time for each run,
 * a few runs at once; what a crash has interrupted is taken up at the start.
 */
import type { Trees } from '@sheaf/trees';
import { existsSync } from 'node:fs';
import type { Services } from '../../services.ts';
import { SharedDirectories } from './directories.ts';
import { prepareSharedRun } from './prepare.ts';
import { findSharedRun, neededThere, unsettledRuns } from './records.ts';
import { storeSharedResults } from './store-results.ts';

const atOnce = 4;
/** Results that cannot be stored now are tried again after growing pauses, in milliseconds, for hours in all. */
const firstPause = 1_000;
const longestPause = 60_000;
const mostTries = 360;
/** What runs have left is removed soon after something has ended, and looked for now and then. */
const sweepSoon = 2_000;
const sweepInterval = 5 * 60_000;

export class SharedRuns {
  readonly #services: Services;
  readonly #trees: Trees;
  readonly #stopping = new AbortController();
  readonly #stops: (() => void)[] = [];
  readonly #waiting: string[] = [];
  readonly #busy = new Map<string, Promise<void>>();
  /** Something happened to the run while it was worked on. */
  readonly #again = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #pauses = new Map<string, () => void>();
  #directories: Promise<SharedDirectories> | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  #sweepAt = Number.POSITIVE_INFINITY;
  #cancelSweep = () => {};

  constructor(services: Services, trees: Trees) {
    this.#services = services;
    this.#trees = trees;
  }

  /** Only contents that are files can be laid out. */
  get possible(): boolean {
    return this.#services.store.capabilities.localPaths;
  }

  async start(): Promise<void> {
    if (!this.possible) return;
    const { events, database, settings } = this.#services;
    this.#stops.push(
      events.on('shared-run.changed', ({ runUuid }) => {
        this.#look(runUuid);
        this.#sweepIn(sweepInterval);
      }),
      events.on('bundle.changed', ({ state }) => {
        // Whatever ends or waits anew may leave a directory behind; nothing is looked for where none was ever made.
        if (this.#directories !== undefined && state !== 'running') this.#sweepIn(sweepSoon);
      }),
      events.on('bundle.deleted', () => {
        if (this.#directories !== undefined) this.#sweepIn(sweepSoon);
      }),
    );
    if (existsSync(settings.sharedDirectory)) this.#sweepIn(sweepSoon);
    for (const uuid of await unsettledRuns(database.queries)) this.#look(uuid);
  }

  /** Returns when nothing more is written. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the server stops'));
    for (const stop of this.#stops.splice(0)) stop();
    for (const cancel of this.#pauses.values()) cancel();
    this.#cancelSweep();
    await Promise.all(this.#busy.values());
    await this.#sweeping;
  }

  #look(uuid: string): void {
    if (this.#stopping.signal.aborted || this.#waiting.includes(uuid)) return;
    if (this.#busy.has(uuid)) {
      this.#again.add(uuid);
      return;
    }
    this.#pauses.get(uuid)?.();
    this.#pauses.delete(uuid);
    this.#waiting.push(uuid);
    this.#next();
  }

  #next(): void {
    while (this.#busy.size < atOnce) {
      const uuid = this.#waiting.shift();
      if (uuid === undefined) return;
      const work = this.#settle(uuid).finally(() => {
        this.#busy.delete(uuid);
        if (this.#again.delete(uuid)) this.#look(uuid);
        this.#next();
      });
      this.#busy.set(uuid, work);
    }
  }

  /** Does what is due for a run; never fails. */
  async #settle(uuid: string): Promise<void> {
    const services = this.#services;
    try {
      const directories = await this.#open();
      const row = await findSharedRun(services.database.queries, uuid);
      if (row === undefined) return;
      if (row.prepared_at === null) {
        await prepareSharedRun({ services, directories, trees: this.#trees }, uuid);
      } else {
        const lastTry = (this.#failures.get(uuid) ?? 0) + 1 >= mostTries;
        const tools = { services, directories, signal: this.#stopping.signal };
        await storeSharedResults(tools, uuid, { lastTry });
      }
      this.#failures.delete(uuid);
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#tryLater(uuid, error);
    }
  }

  #tryLater(uuid: string, error: unknown): void {
    const { clock, log } = this.#services;
    const failures = (this.#failures.get(uuid) ?? 0) + 1;
    this.#failures.set(uuid, failures);
    log.error({ err: error, run: uuid, failures }, 'a run on the shared filesystem has to wait');
    const pause = Math.min(longestPause, firstPause * 2 ** Math.min(failures - 1, 10));
    this.#pauses.set(
      uuid,
      clock.after(pause, () => this.#look(uuid)),
    );
  }

  /** Made when the first run wants it: installations without such workers have no such directory. */
  async #open(): Promise<SharedDirectories> {
    const { settings, store, ids } = this.#services;
    this.#directories ??= SharedDirectories.open(settings.sharedDirectory, store, (length) =>
      ids.secret(length),
    );
    try {
      return await this.#directories;
    } catch (error) {
      this.#directories = undefined;
      throw error;
    }
  }

  #sweepIn(milliseconds: number): void {
    const { clock } = this.#services;
    const dueAt = clock.now() + milliseconds;
    if (this.#stopping.signal.aborted || dueAt >= this.#sweepAt) return;
    this.#sweepAt = dueAt;
    this.#cancelSweep();
    this.#cancelSweep = clock.after(milliseconds, () => {
      this.#sweepAt = Number.POSITIVE_INFINITY;
      this.#sweeping = this.#sweepingAfter(this.#sweeping);
    });
  }

  async #sweepingAfter(before: Promise<void>): Promise<void> {
    await before;
    const { clock, log, unitOfWork } = this.#services;
    try {
      const directories = await this.#open();
      const failed = (path: string, error: unknown) =>
        log.warn({ err: error, path }, 'a shared directory cannot be removed');
      await directories.sweep(() => unitOfWork(neededThere), clock.now(), failed);
    } catch (error) {
      log.error({ err: error }, 'shared directories could not be swept');
    }
    this.#sweepIn(sweepInterval);
  }
}
