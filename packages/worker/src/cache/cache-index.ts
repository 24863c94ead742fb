/** The list of what is in the cache, saved behind the back of those who change it. */
import type { Log } from '../log.ts';
import { messageOf } from '../errors.ts';
import { readIndex, writeIndex, type CachedEntry } from './index-file.ts';

/** How long after a failure the list is saved again, in milliseconds; what changes meanwhile waits for that. */
const usualPause = 10_000;

export class CacheIndex {
  readonly entries: Map<string, CachedEntry>;
  readonly #path: string;
  readonly #log: Log;
  readonly #pause: number;
  #working: Promise<void> = Promise.resolve();
  #saveRequested = false;
  /** Set while the list on disk is old, because it could not be saved. */
  #retry: NodeJS.Timeout | undefined;
  /** Why it cannot be saved, as logged: a disk stays full for longer than a log can take. */
  #trouble: string | undefined;

  private constructor(path: string, log: Log, pause: number, entries: Map<string, CachedEntry>) {
    this.#path = path;
    this.#log = log;
    this.#pause = pause;
    this.entries = entries;
  }

  static async open(path: string, log: Log, pause = usualPause): Promise<CacheIndex> {
    return new CacheIndex(path, log, pause, await readIndex(path));
  }

  /** Several changes at once are saved once; where that fails, it is tried again until it succeeds. */
  saveLater(): void {
    if (this.#retry === undefined) this.#saveNext();
  }

  /** Does something that nobody waits for, after what was asked for before. */
  later(problem: string, work: () => Promise<void>): void {
    this.#working = this.#working
      .then(work)
      .catch((error: unknown) => this.#log.warn({ error: messageOf(error) }, problem));
  }

  /** Returns when there is nothing left to do but what fails: that gets one more chance. */
  async settle(): Promise<void> {
    if (this.#retry !== undefined) this.#saveNext();
    for (let seen: Promise<void> | undefined; seen !== this.#working;) {
      seen = this.#working;
      await seen;
    }
  }

  #saveNext(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    if (this.#saveRequested) return;
    this.#saveRequested = true;
    this.#working = this.#working.then(() => this.#save());
  }

  async #save(): Promise<void> {
    this.#saveRequested = false;
    try {
      await writeIndex(this.#path, this.entries);
      if (this.#trouble !== undefined) this.#log.info({}, 'the list of cached dependencies is saved again');
      this.#trouble = undefined;
    } catch (error) {
      const trouble = messageOf(error);
      if (trouble !== this.#trouble) {
        this.#log.warn({ error: trouble }, 'the list of cached dependencies cannot be saved');
      }
      this.#trouble = trouble;
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => this.#saveNext(), this.#pause).unref();
    }
  }
}
