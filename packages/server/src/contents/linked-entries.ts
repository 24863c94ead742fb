/*
 * Contents of linked bundles for those who take contents by digest: what is under the link now is brought into the store, and
 * handed out from there for a while. The bundle itself keeps only its link; a sweep removes the blobs later.
 */
import { lstat } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { importDirectory, importFile, type Entry } from '@sheaf/trees';
import type { Services } from '../services.ts';

/** Milliseconds for which somebody may fetch what an entry named. */
const remembered = 12 * 60 * 60 * 1000;

export class LinkedEntries {
  readonly #services: Services;
  readonly #roots = new Map<string, { entry: Entry; until: number }[]>();

  constructor(services: Services) {
    this.#services = services;
  }

  /** @param place an existing path on disk, as `linkedPath` answers it */
  async bringIn(bundleUuid: string, place: string): Promise<Entry> {
    const { store, clock } = this.#services;
    const entry = await importPlace(this.#services, place);
    await store.durable();
    const now = clock.now();
    const kept = (this.#roots.get(bundleUuid) ?? []).filter(({ until }) => until > now);
    this.#roots.set(bundleUuid, [...kept, { entry, until: now + remembered }]);
    return entry;
  }

  /** What was brought in for this bundle a while ago. */
  roots(bundleUuid: string): Entry[] {
    const now = this.#services.clock.now();
    return (this.#roots.get(bundleUuid) ?? []).filter(({ until }) => until > now).map(({ entry }) => entry);
  }
}

/** Stores what is at a path on disk. Not durable yet. */
export async function importPlace({ store }: Services, place: string): Promise<Entry> {
  const stat = await lstat(place);
  return stat.isDirectory()
    ? await importDirectory(store, place)
    : await importFile(store, createReadStream(place), { executable: (stat.mode & 0o100) !== 0 });
}
