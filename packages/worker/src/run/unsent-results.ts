/**
 * Results that the server refused for good: kept on this machine for a while, so that whoever runs the worker can still get at them
 * (execution.md §22.2).
 */
import { mkdir, readdir, rename, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { messageOf, systemCode } from '../errors.ts';
import { removeAll } from '../files.ts';
import type { Log } from '../log.ts';

export interface UnsentResultsOptions {
  /** On the filesystem of the run directories. Each run has a directory in it under its uuid. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Milliseconds that they are kept. */
export const keptFor = 3 * 24 * 3_600_000;

export class UnsentResults {
  readonly #options: UnsentResultsOptions;

  constructor(options: UnsentResultsOptions) {
    this.#options = options;
  }

  /** Moves the directory of a run away from where it would be removed. One that is gone already is no matter. */
  async keep(uuid: string, runDirectory: string): Promise<void> {
    const { directory, clock, log } = this.#options;
    const kept = join(directory, uuid);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await removeAll(kept);
    try {
      await rename(runDirectory, kept);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return;
      throw error;
    }
    const now = clock.now() / 1000;
    await utimes(kept, now, now);
    const until = new Date(clock.now() + keptFor).toISOString();
    log.warn({ run: uuid, directory: kept, until }, 'the results that the server refused are kept here');
  }

  /**
   * Removes those whose time is over, or all of them. Never fails.
   * @param all room is needed
   */
  async clear(options: { readonly all: boolean } = { all: false }): Promise<void> {
    const { directory, clock, log } = this.#options;
    for (const name of await this.#names()) {
      const path = join(directory, name);
      try {
        if (!options.all && (await stat(path)).mtimeMs + keptFor > clock.now()) continue;
        await removeAll(path);
        log.info({ run: name }, 'results that the server refused are removed');
      } catch (error) {
        log.warn({ run: name, error: messageOf(error) }, 'refused results cannot be removed');
      }
    }
  }

  async #names(): Promise<string[]> {
    const { directory, log } = this.#options;
    try {
      return await readdir(directory);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT')
        log.warn({ error: messageOf(error) }, 'refused results cannot be found');
      return [];
    }
  }
}
