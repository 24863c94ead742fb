/** Dependencies on this machine: each contents once, read-only, shared by the runs that use it (execution.md §18). */
import { markAndSweep, StorageFullError, type Entry } from '@sheaf/trees';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import { removeAll } from '../files.ts';
import type { Log } from '../log.ts';
import { inAttempts } from './attempts.ts';
import type { DependencySource } from './dependency-source.ts';
import { entryName, type CacheableEntry } from './entry-name.ts';
import { chooseEvictions } from './eviction.ts';
import { readIndex, writeIndex, type CachedEntry } from './index-file.ts';
import { SharedDownloads, type Tell } from './shared-downloads.ts';
import { isSound, looksSound } from './soundness.ts';
import type { StoreHolder } from './store-holder.ts';

export interface DependencyCacheOptions {
  readonly directory: string;
  /** Bytes. */
  readonly limit: number;
  /** Hash what is cached again before each use. */
  readonly verify: boolean;
  /** Attempts for each download. */
  readonly attempts: number;
  readonly source: DependencySource;
  readonly store: StoreHolder;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

export interface WantedDependency {
  readonly parentUuid: string;
  readonly parentPath: string;
  /** What it stands for, where the server has said so. */
  readonly entry: Entry | undefined;
}

export interface CachedDependency {
  readonly name: string;
  /** Host path of a file or directory that must not be written to. */
  readonly path: string;
  /** Names in the directory; undefined for a file. */
  readonly names: readonly string[] | undefined;
}

/** The dependency cannot be used, whoever tries. */
export class DependencyProblem extends Error {
  override readonly name = 'DependencyProblem';
}

const downloadsAtOnce = 4;
/** How long a server may be away before a run that waits for it fails, in milliseconds. */
const patience = 3_600_000;
/** Larger trees are looked over once a process, smaller ones at every use. */
const quicklyLookedOver = 1000;
const rememberedKeys = 50;

export class DependencyCache {
  readonly #options: DependencyCacheOptions;
  readonly #entries: string;
  readonly #index: Map<string, CachedEntry>;
  readonly #users = new Map<string, Set<string>>();
  readonly #downloads = new SharedDownloads(downloadsAtOnce);
  readonly #lookedOver = new Set<string>();
  #saving: Promise<void> = Promise.resolve();
  #cleaning: Promise<void> = Promise.resolve();

  private constructor(options: DependencyCacheOptions, entries: string, index: Map<string, CachedEntry>) {
    this.#options = options;
    this.#entries = entries;
    this.#index = index;
  }

  /** Opens the cache that an earlier worker left, without what it had not finished. */
  static async open(options: DependencyCacheOptions): Promise<DependencyCache> {
    const entries = join(options.directory, 'entries');
    await mkdir(entries, { recursive: true, mode: 0o755 });
    const index = await readIndex(join(options.directory, 'index.json'));
    const there = new Set(await readdir(entries));
    for (const name of index.keys()) if (!there.has(name)) index.delete(name);
    for (const name of there) if (!index.has(name)) await removeAll(join(entries, name));
    return new DependencyCache(options, entries, index);
  }

  /** Bundle and path of everything that is here, for the check-in. */
  get keys(): [string, string][] {
    return [...this.#index.values()].flatMap(({ keys }) => keys);
  }

  /**
   * Makes a dependency available to a run until `release`. Runs that want the same contents share one download.
   * @throws DependencyProblem, SheafError, ConnectionError, or whatever spoilt the last attempt
   */
  async acquire(
    run: string,
    wanted: WantedDependency,
    signal: AbortSignal,
    tell: Tell,
  ): Promise<CachedDependency> {
    const entry = cacheable(await this.#entryOf(wanted, signal, tell));
    const name = entryName(entry);
    this.hold(run, [name]);
    if (!(await this.#isUsable(name, entry, signal))) {
      await this.#downloads.join(name, signal, tell, (stop, tellAll) =>
        this.#download(name, entry, wanted.parentUuid, stop, tellAll),
      );
    }
    this.#noteUse(name, wanted);
    const path = join(this.#entries, name);
    return { name, path, names: entry.kind === 'tree' ? await readdir(path) : undefined };
  }

  /** Keeps entries for a run, also for one that used them before the worker was started anew. */
  hold(run: string, names: readonly string[]): void {
    for (const name of names) {
      const users = this.#users.get(name) ?? new Set();
      users.add(run);
      this.#users.set(name, users);
    }
  }

  /** The run needs nothing any more. */
  release(run: string): void {
    for (const [name, users] of this.#users) {
      if (users.delete(run) && users.size === 0) this.#users.delete(name);
    }
    this.#cleanLater(this.#options.limit);
  }

  /** Removes everything that no run uses: the disk is full. */
  async clearUnused(): Promise<void> {
    this.#cleanLater(0);
    await this.#cleaning;
  }

  /** Returns when everything that is being written or removed is done. */
  async settle(): Promise<void> {
    await this.#cleaning;
    await this.#saving;
  }

  async #entryOf(
    { parentUuid, parentPath, entry }: WantedDependency,
    signal: AbortSignal,
    tell: Tell,
  ): Promise<Entry> {
    if (entry !== undefined) return entry;
    return await this.#inAttempts(signal, tell, () =>
      this.#options.source.entryOf(parentUuid, parentPath, signal),
    );
  }

  async #isUsable(name: string, entry: CacheableEntry, signal: AbortSignal): Promise<boolean> {
    if (!this.#index.has(name) || this.#downloads.names.has(name)) return false;
    const path = join(this.#entries, name);
    const sound = this.#options.verify
      ? await isSound(path, entry, signal)
      : this.#isKnownSound(name, entry) || (await looksSound(path, entry));
    if (sound) {
      this.#lookedOver.add(name);
      return true;
    }
    this.#options.log.warn({ name }, 'a cached dependency is damaged and is fetched again');
    this.#index.delete(name);
    return false;
  }

  #isKnownSound(name: string, entry: CacheableEntry): boolean {
    return entry.kind === 'tree' && entry.files > quicklyLookedOver && this.#lookedOver.has(name);
  }

  async #download(
    name: string,
    entry: CacheableEntry,
    bundle: string,
    signal: AbortSignal,
    tell: Tell,
  ): Promise<void> {
    const { source, clock, log } = this.#options;
    const temporary = join(this.#entries, `${randomUUID()}.incomplete`);
    const began = clock.now();
    try {
      const how = await this.#inAttempts(signal, tell, async () => {
        await removeAll(temporary);
        return await source.bring(entry, bundle, temporary, signal, tell);
      });
      const path = join(this.#entries, name);
      // What is there was found to be damaged.
      await removeAll(path);
      await rename(temporary, path);
      this.#index.set(name, { entry, usedAt: clock.now(), keys: [] });
      log.info(
        { name, bytes: entry.size, how, milliseconds: Math.round(clock.now() - began) },
        'dependency cached',
      );
    } finally {
      await removeAll(temporary);
    }
    this.#cleanLater(this.#options.limit);
  }

  #inAttempts<Result>(signal: AbortSignal, tell: Tell, work: () => Promise<Result>): Promise<Result> {
    return inAttempts({ ...this.#options, patience }, signal, tell, async () => {
      try {
        return await work();
      } catch (error) {
        if (error instanceof StorageFullError) {
          // Room for what is wanted now is worth more than what may be wanted later.
          this.#cleanLater(0);
          await this.#cleaning;
        }
        throw error;
      }
    });
  }

  #noteUse(name: string, { parentUuid, parentPath }: WantedDependency): void {
    const cached = this.#index.get(name);
    if (cached === undefined) return;
    cached.usedAt = this.#options.clock.now();
    if (!cached.keys.some(([uuid, path]) => uuid === parentUuid && path === parentPath)) {
      cached.keys.push([parentUuid, parentPath]);
      if (cached.keys.length > rememberedKeys) cached.keys.shift();
    }
    this.#saveLater();
  }

  #saveLater(): void {
    this.#saving = this.#saving
      .then(() => writeIndex(join(this.#options.directory, 'index.json'), this.#index))
      .catch((error: unknown) =>
        this.#options.log.warn(
          { error: messageOf(error) },
          'the list of cached dependencies cannot be saved',
        ),
      );
  }

  #cleanLater(limit: number): void {
    this.#cleaning = this.#cleaning
      .then(() => this.#clean(limit))
      .catch((error: unknown) =>
        this.#options.log.warn({ error: messageOf(error) }, 'the cache of dependencies cannot be cleaned up'),
      );
  }

  async #clean(limit: number): Promise<void> {
    const downloading = this.#downloads.names;
    const candidates = [...this.#index].map(([name, { entry, usedAt }]) => ({
      name,
      size: entry.kind === 'link' ? 0 : entry.size,
      usedAt,
      inUse: this.#users.has(name) || downloading.has(name),
    }));
    const evicted = chooseEvictions(candidates, limit);
    if (evicted.length === 0) return;
    const began = this.#options.clock.now();
    for (const name of evicted) {
      // A run may have come for it while others were removed.
      if (this.#users.has(name)) continue;
      this.#index.delete(name);
      await removeAll(join(this.#entries, name));
      this.#options.log.info({ name }, 'dependency removed from the cache');
    }
    this.#saveLater();
    await this.#sweep(began);
  }

  /** Blobs that no entry refers to go, too; those of downloads that run now are young. */
  async #sweep(began: number): Promise<void> {
    if (this.#downloads.names.size > 0) return;
    const roots = [...this.#index.values()].map(({ entry }) => entry);
    await this.#options.store.use(async (store) => {
      await markAndSweep(store, roots, { olderThan: began });
    });
  }
}

function cacheable(entry: Entry): CacheableEntry {
  if (entry.kind !== 'link') return entry;
  throw new DependencyProblem(`it is a link to ${entry.target}, which leads out of its bundle`);
}
