/** Dependencies on this machine: each contents once, read-only, shared by the runs that use it (execution.md §18). */
import { formatSize } from '@sheaf/domain';
import type { Entry } from '@sheaf/trees';
import { randomUUID } from 'node:crypto';
import { renameSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { isDiskFull } from '../errors.ts';
import { diskSpace } from '../fingerprint/disk.ts';
import { removeAll } from '../files.ts';
import type { Log } from '../log.ts';
import { Precedence } from '../prefetch/precedence.ts';
import { knownAs, moveAside } from './aside.ts';
import { inAttempts } from './attempts.ts';
import { CacheIndex } from './cache-index.ts';
import { cacheable, DependencyProblem, type CachedDependency, type WantedDependency } from './dependency.ts';
import type { DependencySource } from './dependency-source.ts';
import { entryName, type CacheableEntry } from './entry-name.ts';
import { Holders } from './holders.ts';
import { lookOver } from './look.ts';
import { Room } from './room.ts';
import { SharedDownloads, type Tell } from './shared-downloads.ts';
import { Soundness } from './soundness.ts';
import { Strays } from './strays.ts';
import type { StoreHolder } from './store-holder.ts';

export interface DependencyCacheOptions {
  readonly directory: string;
  /** Bytes. */
  readonly limit: number;
  /** Hash what is cached again before each use. */
  readonly verify: boolean;
  /** Attempts for each download. */
  readonly attempts: number;
  readonly source: Pick<DependencySource, 'entryOf' | 'bring'>;
  readonly store: StoreHolder;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Entries that runs of an earlier worker have mounted. */
  readonly mounted?: readonly string[];
  /** Shared with everything else that is fetched ahead of time. */
  readonly precedence?: Precedence;
}

const downloadsAtOnce = 4;
/** How long a server may be away before a run that waits for it fails, in milliseconds. */
const patience = 3_600_000;
/** How long a run that waits has its dependencies kept for it, in milliseconds: it may be given to another worker. */
const reservedFor = 600_000;
const rememberedKeys = 50;

export class DependencyCache {
  readonly #options: DependencyCacheOptions;
  readonly #entries: string;
  readonly #index: CacheIndex;
  readonly #holders = new Holders();
  readonly #downloads = new SharedDownloads(downloadsAtOnce);
  readonly #precedence: Precedence;
  readonly #soundness: Soundness;
  readonly #room: Room;
  readonly #strays: Strays;
  /** Entries that were found to be damaged: their blobs are not to be trusted either. */
  readonly #damaged = new Set<string>();

  private constructor(options: DependencyCacheOptions, entries: string, index: CacheIndex) {
    this.#options = options;
    this.#entries = entries;
    this.#index = index;
    this.#precedence = options.precedence ?? new Precedence();
    this.#soundness = new Soundness(options);
    this.#strays = new Strays(entries, this.#holders);
    this.#room = new Room({
      ...options,
      entries,
      index: index.entries,
      holders: this.#holders,
      changed: () => index.saveLater(),
    });
  }

  /** Opens the cache that an earlier worker left, without what it had not finished. What runs have mounted stays, listed or not. */
  static async open(options: DependencyCacheOptions): Promise<DependencyCache> {
    const entries = join(options.directory, 'entries');
    await mkdir(entries, { recursive: true, mode: 0o755 });
    const index = await CacheIndex.open(join(options.directory, 'index.json'), options.log);
    const there = new Set(await readdir(entries));
    for (const name of index.entries.keys()) if (!there.has(name)) index.entries.delete(name);
    const cache = new DependencyCache(options, entries, index);
    const mounted = new Set(options.mounted);
    for (const name of there) {
      if (index.entries.has(name)) continue;
      if (mounted.has(knownAs(name))) cache.#strays.add(name);
      else await removeAll(join(entries, name));
    }
    return cache;
  }

  /** Bundle and path of everything that is here, for the check-in. */
  get keys(): [string, string][] {
    return [...this.#index.entries.values()].flatMap(({ keys }) => keys);
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
    this.#holders.hold(run, name);
    if (!(await this.#isUsable(name, entry, signal))) {
      const downloaded = this.#join(name, entry, wanted.parentUuid, signal, tell);
      // After it has joined: what others have begun for later is this run's own download now, and goes on.
      const leave = this.#precedence.enter();
      try {
        await downloaded;
      } catch (error) {
        throw isDiskFull(error) ? await this.#diskFull(entry, error) : error;
      } finally {
        leave();
      }
    }
    this.#noteUse(name, wanted);
    const path = join(this.#entries, name);
    return { name, path, names: entry.kind === 'tree' ? await readdir(path) : undefined };
  }

  /**
   * Fetches what a run that waits will probably need, as far as there is room, while no run waits for a download of its own, and
   * keeps it for that run for some minutes. Answers whether it is here.
   */
  async prefetch(run: string, wanted: WantedDependency, signal: AbortSignal): Promise<boolean> {
    const entry = wanted.entry ?? (await this.#entryOf(wanted, signal, ignore));
    if (entry.kind === 'link') return false;
    const name = entryName(entry);
    if (!this.#room.fits(name, entry.size)) return false;
    const now = this.#options.clock.now();
    this.#holders.reserve(run, name, now + reservedFor, now);
    if (!this.#index.entries.has(name)) {
      // What is fetched stays while the download pauses.
      const arrived = await this.#room.expect(name, entry);
      try {
        await this.#precedence.behind(signal, (stop) =>
          this.#join(name, entry, wanted.parentUuid, stop, ignore),
        );
      } finally {
        arrived();
      }
    }
    this.#noteUse(name, wanted);
    return true;
  }

  /** Keeps entries for a run, also for one that used them before the worker was started anew. */
  hold(run: string, names: readonly string[]): void {
    for (const name of names) this.#holders.hold(run, name);
  }

  /** The run needs nothing any more. */
  release(run: string): void {
    this.#holders.release(run);
    this.#index.later('what was kept for runs that have ended cannot be removed', () =>
      this.#strays.remove(),
    );
    this.#room.tidy();
  }

  /** Removes everything that no run holds: the disk is full. Returns when it is gone. */
  async clearUnused(): Promise<void> {
    await this.#room.clear();
  }

  /** Returns when everything that is being written or removed is done. */
  async settle(): Promise<void> {
    await this.#room.settle();
    await this.#index.settle();
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
    const cached = this.#index.entries.get(name);
    if (cached === undefined || this.#downloads.names.has(name)) return false;
    const path = join(this.#entries, name);
    const verdict = await this.#soundness.judge(name, path, entry, cached.fingerprint, signal);
    if (verdict.sound) {
      cached.fingerprint = verdict.fingerprint;
      return true;
    }
    if (this.#index.entries.get(name) !== cached) return false;
    this.#options.log.warn({ name }, 'a cached dependency is damaged and is fetched again');
    this.#index.entries.delete(name);
    this.#damaged.add(name);
    // The run that asks for it holds it already.
    const isMounted = this.#holders.count(name) > 1;
    const aside = this.#moveAside(name);
    if (aside !== undefined && !isMounted) await this.#strays.removeOne(aside);
    return false;
  }

  /** Out of the way at once. Runs that have it mounted keep what they see until none of them is left. */
  #moveAside(name: string): string | undefined {
    const aside = moveAside(this.#entries, name);
    this.#strays.forget(name);
    if (aside !== undefined) this.#strays.add(aside);
    return aside;
  }

  #join(name: string, entry: CacheableEntry, bundle: string, signal: AbortSignal, tell: Tell): Promise<void> {
    return this.#downloads.join(name, signal, tell, (stop, tellAll) =>
      this.#download(name, entry, bundle, stop, tellAll),
    );
  }

  async #download(
    name: string,
    entry: CacheableEntry,
    bundle: string,
    signal: AbortSignal,
    tell: Tell,
  ): Promise<void> {
    const { source, clock, log } = this.#options;
    // Whoever waited for its turn may come after another who brought the same; runs have that mounted already.
    if (this.#index.entries.has(name)) return;
    const temporary = join(this.#entries, `${randomUUID()}.incomplete`);
    const began = clock.elapsed();
    const arrived = await this.#room.expect(name, entry);
    try {
      const how = await this.#inAttempts(signal, tell, async () => {
        await removeAll(temporary);
        const repair = this.#damaged.has(name);
        return await source.bring(entry, bundle, temporary, { signal, tell, repair });
      });
      // From here on without a pause: another who was given up, and came to its end nevertheless, may do the same.
      signal.throwIfAborted();
      if (this.#index.entries.has(name)) return;
      const path = join(this.#entries, name);
      this.#moveAside(name);
      renameSync(temporary, path);
      this.#soundness.forget(name);
      this.#index.entries.set(name, { entry, usedAt: clock.now(), keys: [], fingerprint: null });
      this.#damaged.delete(name);
      this.#noteFingerprintLater(name, path);
      const milliseconds = Math.round(clock.elapsed() - began);
      log.info({ name, bytes: entry.size, how, milliseconds }, 'dependency cached');
    } finally {
      await removeAll(temporary);
      arrived();
      this.#room.tidy();
    }
  }

  #inAttempts<Result>(signal: AbortSignal, tell: Tell, work: () => Promise<Result>): Promise<Result> {
    return inAttempts({ ...this.#options, patience }, signal, tell, async () => {
      try {
        return await work();
      } catch (error) {
        if (isDiskFull(error)) await this.#room.clear();
        throw error;
      }
    });
  }

  async #diskFull(entry: CacheableEntry, cause: unknown): Promise<DependencyProblem> {
    const space = await diskSpace(this.#options.directory);
    const free = space === undefined ? '' : `, and ${formatSize(space.free)} are free`;
    return new DependencyProblem(
      `the disk of the worker is full: it takes ${formatSize(entry.size)}${free}`,
      { cause },
    );
  }

  #noteUse(name: string, { parentUuid, parentPath }: WantedDependency): void {
    const cached = this.#index.entries.get(name);
    if (cached === undefined) return;
    cached.usedAt = this.#options.clock.now();
    if (!cached.keys.some(([uuid, path]) => uuid === parentUuid && path === parentPath)) {
      cached.keys.push([parentUuid, parentPath]);
      if (cached.keys.length > rememberedKeys) cached.keys.shift();
    }
    this.#index.saveLater();
  }

  /** The run that waits for the entry does not wait for this. */
  #noteFingerprintLater(name: string, path: string): void {
    const cached = this.#index.entries.get(name);
    this.#index.later('a new entry cannot be looked over', async () => {
      // Evicted meanwhile, or used and looked over already.
      if (cached === undefined || cached.fingerprint !== null || !this.#index.entries.has(name)) return;
      cached.fingerprint = (await lookOver(path)).fingerprint;
      this.#index.saveLater();
    });
  }
}

function ignore(): void {
  // Nobody is told of what is fetched ahead.
}
