/** The blob store of the cache, opened when it is needed and put away when it is not: its thread takes memory. */
import { DirectoryStore } from '@sheaf/trees';

export class StoreHolder {
  readonly #directory: string;
  readonly #readOnly: boolean;
  #open: Promise<DirectoryStore> | undefined;
  #users = 0;

  constructor(directory: string, options: { readOnly: boolean }) {
    this.#directory = directory;
    this.#readOnly = options.readOnly;
  }

  /** Lends the store for the time `work` takes. */
  async use<Result>(work: (store: DirectoryStore) => Promise<Result>): Promise<Result> {
    this.#users += 1;
    try {
      this.#open ??= DirectoryStore.open(this.#directory, { readOnly: this.#readOnly });
      return await work(await this.#open);
    } finally {
      this.#users -= 1;
      if (this.#users === 0) await this.close();
    }
  }

  async close(): Promise<void> {
    const opened = this.#open;
    this.#open = undefined;
    if (opened !== undefined) await (await opened).close();
  }
}
