/** Keeps the cache within its limit: takes entries away that nobody needs, and then the blobs that no entry refers to. */
import { markAndSweep } from '@sheaf/trees';
import { randomUUID } from 'node:crypto';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import { removeAll } from '../files.ts';
import type { Log } from '../log.ts';
import { chooseEvictions, type EvictionCandidate } from './eviction.ts';
import type { CacheableEntry } from './entry-name.ts';
import type { Holders } from './holders.ts';
import type { CachedEntry } from './index-file.ts';
import type { StoreHolder } from './store-holder.ts';

export interface RoomOptions {
  /** The directory of all entries. */
  readonly entries: string;
  readonly index: Map<string, CachedEntry>;
  readonly holders: Holders;
  /** Bytes. */
  readonly limit: number;
  readonly store: StoreHolder;
  readonly clock: Clock;
  readonly log: Log;
  /** The index has changed. */
  readonly changed: () => void;
}

/** How long blobs are kept that a download has left which failed, in milliseconds. */
const resumableFor = 3_600_000;
const justNow = 1000;

export class Room {
  readonly #options: RoomOptions;
  readonly #expected = new Set<{ readonly name: string; readonly entry: CacheableEntry }>();
  #tidying: Promise<void> = Promise.resolve();
  #sweeping: Promise<void> = Promise.resolve();
  /** Blobs of entries that were evicted may still be there. */
  #evicted = false;
  /** When to look next for what downloads have left that failed, here or in an earlier process. */
  #sweepOldAt = 0;

  constructor(options: RoomOptions) {
    this.#options = options;
  }

  /** Counts what is being downloaded, until the function that is answered is called. Waits for a sweep that is under way. */
  async expect(name: string, entry: CacheableEntry): Promise<() => void> {
    await this.#sweeping;
    const expected = { name, entry };
    this.#expected.add(expected);
    this.tidy();
    return () => void this.#expected.delete(expected);
  }

  /** Whether an entry that no run waits for finds room without anything going that a run needs, or may need before. */
  fits(name: string, size: number): boolean {
    const others = this.#candidates().filter((candidate) => candidate.name !== name);
    const needed = others.filter(({ inUse, reserved }) => inUse || reserved === true);
    return needed.reduce((sum, other) => sum + other.size, size) <= this.#options.limit;
  }

  /** Brings the cache below its limit, a little later. */
  tidy(): void {
    this.#tidyTo(this.#options.limit);
  }

  /** Removes everything that no run holds: room for what is wanted now is worth more than what may be wanted later. */
  async clear(): Promise<void> {
    this.#tidyTo(0);
    await this.#tidying;
  }

  /** Returns when everything that is being removed is gone. */
  async settle(): Promise<void> {
    await this.#tidying;
  }

  #tidyTo(limit: number): void {
    this.#tidying = this.#tidying
      .then(() => this.#evict(limit))
      .catch((error: unknown) =>
        this.#options.log.warn({ error: messageOf(error) }, 'the cache of dependencies cannot be cleaned up'),
      );
  }

  #candidates(): EvictionCandidate[] {
    const { index, holders, clock } = this.#options;
    const now = clock.now();
    const downloading = new Map([...this.#expected].map(({ name, entry }) => [name, entry.size]));
    const cached = [...index].map(([name, { entry, usedAt }]) => ({
      name,
      size: entry.kind === 'link' ? 0 : entry.size,
      usedAt,
      inUse: holders.isHeld(name) || downloading.has(name),
      reserved: holders.isReserved(name, now),
    }));
    const coming = [...downloading]
      .filter(([name]) => !index.has(name))
      .map(([name, size]) => ({ name, size, usedAt: now, inUse: true }));
    return [...cached, ...coming];
  }

  async #evict(limit: number): Promise<void> {
    const { index, holders, entries, changed, clock, log } = this.#options;
    const chosen = chooseEvictions(this.#candidates(), limit);
    for (const name of chosen) {
      // A run may have come for it while others were removed.
      if (holders.isHeld(name)) continue;
      index.delete(name);
      changed();
      // Out of the way at once, so that it can come again while its many files are still being removed.
      const aside = join(entries, `${randomUUID()}.evicted`);
      renameSync(join(entries, name), aside);
      await removeAll(aside);
      log.info({ name }, 'dependency removed from the cache');
    }
    if (chosen.length > 0) this.#evicted = true;
    if (this.#evicted || limit === 0 || clock.now() >= this.#sweepOldAt) {
      this.#sweeping = this.#sweep({ evicted: this.#evicted, everything: limit === 0 }).catch(
        (error: unknown) =>
          log.warn({ error: messageOf(error) }, 'blobs that nobody needs cannot be removed'),
      );
      await this.#sweeping;
    }
  }

  /** What a download that failed has brought spares the next attempt some time, unless everything has to go. */
  async #sweep({ evicted, everything }: { evicted: boolean; everything: boolean }): Promise<void> {
    const { index, store, clock } = this.#options;
    const now = clock.now();
    const unfinished = everything ? now : now - resumableFor;
    this.#sweepOldAt = now + resumableFor;
    const cached = [...index.values()].map(({ entry }) => entry);
    const coming = [...this.#expected].map(({ entry }) => entry);
    // What was evicted while something is downloaded gets a second look.
    this.#evicted &&= coming.length > 0;
    // Blobs that downloads bring right now are not all within reach of their roots yet, but young; on a full disk they are risked.
    const young = coming.length > 0 && !everything ? justNow : 0;
    const olderThan = evicted || everything ? now - young : unfinished;
    await store.use(async (opened) => {
      await markAndSweep(opened, [...cached, ...coming], { olderThan });
      await opened.sweep(unfinished);
    });
  }
}
