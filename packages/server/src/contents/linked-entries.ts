/*
 * Contents of linked bundles for those who take contents by digest: what is under the link now is brought into the store, and
 * handed out from there for a while. The bundle itself keeps only its link; a sweep removes the blobs later. A link under which
 * nothing was written since is not read again.
 */
import { constants } from 'node:fs';
import { lstat, open, readlink } from 'node:fs/promises';
import { basename } from 'node:path';
import {
  BlobMissingError,
  importDirectory,
  importFile,
  NotAFileError,
  walkTree,
  type BlobStore,
  type Entry,
  type TreeSource,
} from '@sheaf/trees';
import type { Services } from '../services.ts';
import { stampOf, type LinkedStamp } from './linked-stamp.ts';

/** Milliseconds for which somebody may fetch what an entry named. */
const remembered = 12 * 60 * 60 * 1000;
/**
 * Blobs that are used again are claimed again after this time; with the time somebody may fetch them, it is less than the
 * sweeper's grace period.
 */
const claimedFor = 6 * 60 * 60 * 1000;
/** Milliseconds in which two changes of a file may bear the same time. */
const sameTime = 2_000;
const mostKept = 1_000;
const claimAtOnce = 1_000;

interface Kept {
  readonly stamp: string;
  readonly entry: Entry;
  /** When its blobs were last known to be in the store. */
  readonly claimedAt: number;
}

/** Reads what is at a path on disk into the store. */
export type BringIn = (store: BlobStore, place: string) => Promise<Entry>;

export class LinkedEntries {
  readonly #services: Services;
  readonly #trees: TreeSource;
  readonly #read: BringIn;
  readonly #roots = new Map<string, { entry: Entry; until: number }[]>();
  readonly #kept = new Map<string, Kept>();

  constructor(services: Services, trees: TreeSource, read: BringIn = importPlace) {
    this.#services = services;
    this.#trees = trees;
    this.#read = read;
  }

  /**
   * @param place an existing path on disk, as `linkedPath` answers it
   * @throws NotAFileError for what is neither file, directory nor link
   */
  async bringIn(bundleUuid: string, place: string): Promise<Entry> {
    const entry = await this.#entryOf(place);
    const now = this.#services.clock.now();
    const others = (this.#roots.get(bundleUuid) ?? []).filter(
      (known) => known.until > now && !sameEntry(known.entry, entry),
    );
    this.#roots.set(bundleUuid, [...others, { entry, until: now + remembered }]);
    return entry;
  }

  /** What was brought in for this bundle a while ago. */
  roots(bundleUuid: string): Entry[] {
    const now = this.#services.clock.now();
    return (this.#roots.get(bundleUuid) ?? []).filter(({ until }) => until > now).map(({ entry }) => entry);
  }

  async #entryOf(place: string): Promise<Entry> {
    const { store, clock } = this.#services;
    const begun = clock.now();
    // Taken before anything is read: what is written while it is read makes the next stamp another one.
    const stamp = await stampOf(place);
    const known = await this.#known(place, stamp);
    if (known !== undefined) return known;
    const entry = await this.#read(store, place);
    await store.durable();
    this.#kept.delete(place);
    if (stamp.changedAt < begun - sameTime) this.#keep(place, { stamp: stamp.text, entry, claimedAt: begun });
    return entry;
  }

  /** The entry of last time, if nothing has changed and the store still has all of it. */
  async #known(place: string, stamp: LinkedStamp): Promise<Entry | undefined> {
    const kept = this.#kept.get(place);
    if (kept?.stamp !== stamp.text) return undefined;
    const now = this.#services.clock.now();
    if (kept.claimedAt > now - claimedFor) return kept.entry;
    if (!(await this.#claim(kept.entry))) return undefined;
    this.#keep(place, { ...kept, claimedAt: now });
    return kept.entry;
  }

  async #claim(entry: Entry): Promise<boolean> {
    if (entry.kind === 'link') return true;
    const { store } = this.#services;
    if (!(await store.has(entry.digest))) return false;
    const digests = new Set([entry.digest]);
    if (entry.kind === 'tree') {
      try {
        for await (const { entry: part } of walkTree(this.#trees, entry)) {
          if (part.kind !== 'link') digests.add(part.digest);
        }
      } catch (error) {
        if (error instanceof BlobMissingError) return false;
        throw error;
      }
    }
    const all = [...digests];
    for (let start = 0; start < all.length; start += claimAtOnce) {
      const sizes = await store.claim(all.slice(start, start + claimAtOnce));
      if (sizes.includes(undefined)) return false;
    }
    return true;
  }

  #keep(place: string, kept: Kept): void {
    this.#kept.delete(place);
    this.#kept.set(place, kept);
    if (this.#kept.size <= mostKept) return;
    const oldest = this.#kept.keys().next();
    if (oldest.done !== true) this.#kept.delete(oldest.value);
  }
}

function sameEntry(one: Entry, other: Entry): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Stores what is at a path on disk; a link stays a link. Not durable yet. */
async function importPlace(store: BlobStore, place: string): Promise<Entry> {
  const stat = await lstat(place);
  if (stat.isSymbolicLink()) return { kind: 'link', target: await readlink(place) };
  if (stat.isDirectory()) return await importDirectory(store, place);
  if (!stat.isFile()) throw new NotAFileError(basename(place), 'device, pipe or socket');
  // Nor is a link followed that was put there just now.
  const file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return await importFile(store, file.createReadStream(), { executable: (stat.mode & 0o100) !== 0 });
  } finally {
    await file.close();
  }
}
