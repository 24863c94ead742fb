/**
 * What lies in the directory of entries and is none of the cache's: an entry that was found to be damaged, or that an earlier worker
 * brought and did not live to list. It stays for as long as a run may have it mounted.
 */
import { randomUUID } from 'node:crypto';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { removeAll } from '../files.ts';
import { knownAs } from './aside.ts';
import type { Holders } from './holders.ts';

export class Strays {
  readonly #entries: string;
  readonly #holders: Holders;
  readonly #names = new Set<string>();

  /** @param entries the directory of all entries */
  constructor(entries: string, holders: Holders) {
    this.#entries = entries;
    this.#holders = holders;
  }

  /** @param name of the file or directory, as it is there now */
  add(name: string): void {
    this.#names.add(name);
  }

  /** It has another name now, or is gone. */
  forget(name: string): void {
    this.#names.delete(name);
  }

  /** Removes those that no run holds any more; what cannot be removed goes the next time, or when a worker starts. */
  async remove(): Promise<void> {
    for (const name of this.#names) if (!this.#holders.isHeld(knownAs(name))) await this.removeOne(name);
  }

  async removeOne(name: string): Promise<void> {
    if (!this.#names.delete(name)) return;
    // First out of the way: the same may come again while its many files are still being removed.
    const going = `${randomUUID()}.evicted`;
    renameSync(join(this.#entries, name), join(this.#entries, going));
    this.#names.add(going);
    await removeAll(join(this.#entries, going));
    this.#names.delete(going);
  }
}
