/** Where dependencies come from: the server, or its store where that is on a filesystem of this machine. */
import {
  fetchContents,
  materialise,
  removeDamaged,
  type DirectoryStore,
  type Entry,
  type FetchPeer,
} from '@sheaf/trees';
import { formatSize } from '@sheaf/domain';
import { messageOf } from '../errors.ts';
import { removeAll } from '../files.ts';
import type { Log } from '../log.ts';
import type { CacheableEntry } from './entry-name.ts';
import type { Tell } from './shared-downloads.ts';
import type { StoreHolder } from './store-holder.ts';

/** What the server answers about a bundle's contents. */
export interface ContentsPeer extends FetchPeer {
  entry(path: string, context: { readonly signal: AbortSignal }): Promise<{ readonly entry: Entry }>;
}

export interface DependencySourceOptions {
  readonly store: StoreHolder;
  readonly localStore: StoreHolder | undefined;
  /** The contents of a bundle, as the server hands them out. */
  readonly peer: (bundle: string) => ContentsPeer;
  readonly log: Log;
}

export interface BringOptions {
  readonly signal: AbortSignal;
  readonly tell: Tell;
  readonly repair: boolean;
}

export class DependencySource {
  readonly #options: DependencySourceOptions;

  constructor(options: DependencySourceOptions) {
    this.#options = options;
  }

  /** What is at a path of a bundle. */
  async entryOf(bundle: string, path: string, signal: AbortSignal): Promise<Entry> {
    return (await this.#options.peer(bundle).entry(path, { signal })).entry;
  }

  /**
   * Makes `destination`, which must not exist, from hard links where that is possible. Bytes are verified on arrival; to repair
   * means to trust nothing that is on this machine already.
   */
  async bring(
    entry: CacheableEntry,
    bundle: string,
    destination: string,
    { signal, tell, repair }: BringOptions,
  ): Promise<'linked' | 'downloaded'> {
    if (!repair && (await this.#link(entry, destination, signal))) return 'linked';
    await this.#options.store.use(async (store) => {
      if (repair) await this.#removeDamaged(store, entry, signal);
      await fetchContents(entry, this.#options.peer(bundle), store, {
        signal,
        onProgress: ({ bytes, totalBytes }) => tell(`${formatSize(bytes)}/${formatSize(totalBytes)}`),
      });
      await store.durable();
      await materialise(store, entry, destination, { signal, verify: repair });
    });
    return 'downloaded';
  }

  async #removeDamaged(store: DirectoryStore, entry: CacheableEntry, signal: AbortSignal): Promise<void> {
    const removed = await removeDamaged(store, entry, { signal });
    if (removed.length > 0) this.#options.log.warn({ digests: removed }, 'damaged blobs are fetched again');
  }

  async #link(entry: CacheableEntry, destination: string, signal: AbortSignal): Promise<boolean> {
    const { localStore, log } = this.#options;
    if (localStore === undefined) return false;
    try {
      await localStore.use((store) => materialise(store, entry, destination, { signal }));
      return true;
    } catch (error) {
      signal.throwIfAborted();
      log.debug({ digest: entry.digest, error: messageOf(error) }, 'not linked from the local store');
      await removeAll(destination);
      return false;
    }
  }
}
