/* Removes blobs that no bundle refers to, now and then and after deletions; running uploads are spared (design: contents). */
import { entry as entrySchema } from '@sheaf/wire';
import { markAndSweep, type Entry, type SweepResult } from '@sheaf/trees';
import type { Services } from '../services.ts';

/** Blobs written or claimed within this time stay: longer than any upload takes without saying so, in milliseconds. */
export const gracePeriod = 24 * 60 * 60 * 1000;
const interval = 6 * 60 * 60 * 1000;
const afterDeletion = 10 * 60 * 1000;
const rowsAtOnce = 1_000;

export class Sweeper {
  readonly #services: Services;
  #cancel = () => {};
  #stopListening = () => {};
  #dueAt = Number.POSITIVE_INFINITY;
  #running: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();

  constructor(services: Services) {
    this.#services = services;
  }

  start(): void {
    this.#stopListening = this.#services.events.on('contents.dropped', () => this.#schedule(afterDeletion));
    this.#schedule(interval);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#stopListening();
    this.#cancel();
    await this.#running;
  }

  /** One sweep, now. */
  async sweep(grace = gracePeriod): Promise<SweepResult> {
    const { clock, store, unitOfWork, log } = this.#services;
    const now = clock.now();
    await unitOfWork((unit) =>
      unit.queries.deleteFrom('transfer_lease').where('expires_at', '<=', now).execute(),
    );
    await store.sweep(now - grace);
    const result = await markAndSweep(store, this.#roots(), {
      olderThan: now - grace,
      keep: await this.#leased(),
      signal: this.#stopping.signal,
    });
    if (result.missing.length > 0) log.error({ missing: result.missing }, 'contents of bundles are missing');
    if (result.removed > 0) log.info({ removed: result.removed, freed: result.freed }, 'swept contents');
    return result;
  }

  #schedule(milliseconds: number): void {
    if (this.#stopping.signal.aborted) return;
    const dueAt = this.#services.clock.now() + milliseconds;
    if (dueAt >= this.#dueAt) return;
    this.#dueAt = dueAt;
    this.#cancel();
    this.#cancel = this.#services.clock.after(milliseconds, () => {
      this.#dueAt = Number.POSITIVE_INFINITY;
      this.#running = this.#sweepQuietly().finally(() => this.#schedule(interval));
    });
  }

  async #sweepQuietly(): Promise<void> {
    try {
      await this.sweep();
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#services.log.error({ err: error }, 'a sweep failed');
    }
  }

  /** The roots of all bundles, a page at a time. */
  async *#roots(): AsyncGenerator<Entry> {
    let after = 0;
    for (;;) {
      const rows = await this.#services.database.queries
        .selectFrom('bundle')
        .select(['id', 'root_entry'])
        .where('id', '>', after)
        .where('root_entry', 'is not', null)
        .orderBy('id')
        .limit(rowsAtOnce)
        .execute();
      for (const { root_entry: root } of rows) {
        if (root !== null) yield entrySchema.parse(JSON.parse(root));
      }
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.id;
    }
  }

  async #leased(): Promise<Set<string>> {
    const rows = await this.#services.database.queries
      .selectFrom('transfer_lease')
      .select('digest')
      .distinct()
      .execute();
    return new Set(rows.map(({ digest }) => digest));
  }
}
