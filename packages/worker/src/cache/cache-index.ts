/** The list of what is in the cache, saved behind the back of those who change it. */
import type { Log } from '../log.ts';
import { messageOf } from '../errors.ts';
import { readIndex, writeIndex, type CachedEntry } from './index-file.ts';

export class CacheIndex {
  readonly entries: Map<string, CachedEntry>;
  readonly #path: string;
  readonly #log: Log;
  #working: Promise<void> = Promise.resolve();
  #saveRequested = false;

  private constructor(path: string, log: Log, entries: Map<string, CachedEntry>) {
    this.#path = path;
    this.#log = log;
    this.entries = entries;
  }

  static async open(path: string, log: Log): Promise<CacheIndex> {
    return new CacheIndex(path, log, await readIndex(path));
  }

  /** Several changes at once are saved once. */
  saveLater(): void {
    if (this.#saveRequested) return;
    this.#saveRequested = true;
    this.later('the list of cached dependencies cannot be saved', () => {
      this.#saveRequested = false;
      return writeIndex(this.#path, this.entries);
    });
  }

  /** Does something that nobody waits for, after what was asked for before. */
  later(problem: string, work: () => Promise<void>): void {
    this.#working = this.#working
      .then(work)
      .catch((error: unknown) => this.#log.warn({ error: messageOf(error) }, problem));
  }

  /** Returns when there is nothing left to do. */
  async settle(): Promise<void> {
    for (let seen: Promise<void> | undefined; seen !== this.#working;) {
      seen = this.#working;
      await seen;
    }
  }
}
