/** Where decoded trees come from: a store, or a cache in front of one. */
import { BlobMissingError, InvalidTreeError } from '../errors.ts';
import { decodeLargeTree } from './decode.ts';
import type { Digest, NamedEntry } from './entry.ts';

export interface TreeSource {
  /**
   * The entries of a tree, sorted by the bytes of their names.
   * @throws BlobMissingError, InvalidTreeError
   */
  tree(digest: Digest): Promise<readonly NamedEntry[]>;
}

/** Anything that can hand out whole small blobs, such as a BlobStore. */
export interface BlobBytes {
  bytes(digest: Digest): Promise<Uint8Array>;
}

export type Trees = TreeSource | BlobBytes;

/** Decodes straight from the store where it is given one. */
export function asTreeSource(trees: Trees): TreeSource {
  if ('tree' in trees) return trees;
  return {
    async tree(digest) {
      try {
        return await decodeLargeTree(await trees.bytes(digest));
      } catch (error) {
        if (error instanceof BlobMissingError || !(error instanceof InvalidTreeError)) throw error;
        throw new InvalidTreeError(`${digest}: ${error.message}`, { cause: error });
      }
    },
  };
}

export interface TreeCacheOptions {
  /** How much memory decoded trees may take, in bytes, estimated. */
  readonly maximumBytes: number;
}

/**
 * Keeps the decoded trees used last, within a bound of memory. Trees never change under their digest, so nothing is ever
 * stale. Several requests for the same tree read it once.
 */
export class TreeCache implements TreeSource {
  readonly #source: TreeSource;
  readonly #maximum: number;
  readonly #kept = new Map<Digest, { entries: readonly NamedEntry[]; bytes: number }>();
  readonly #reading = new Map<Digest, Promise<readonly NamedEntry[]>>();
  #bytes = 0;

  constructor(trees: Trees, options: TreeCacheOptions = { maximumBytes: 64 * 1024 * 1024 }) {
    this.#source = asTreeSource(trees);
    this.#maximum = options.maximumBytes;
  }

  /** Estimated memory of what is kept, in bytes. */
  get heldBytes(): number {
    return this.#bytes;
  }

  async tree(digest: Digest): Promise<readonly NamedEntry[]> {
    const kept = this.#kept.get(digest);
    if (kept !== undefined) {
      this.#kept.delete(digest);
      this.#kept.set(digest, kept);
      return kept.entries;
    }
    const running = this.#reading.get(digest);
    if (running !== undefined) return await running;
    const reading = this.#read(digest);
    this.#reading.set(digest, reading);
    try {
      return await reading;
    } finally {
      this.#reading.delete(digest);
    }
  }

  async #read(digest: Digest): Promise<readonly NamedEntry[]> {
    const entries = await this.#source.tree(digest);
    const bytes = memoryOf(entries);
    if (bytes <= this.#maximum) {
      this.#kept.set(digest, { entries, bytes });
      this.#bytes += bytes;
      this.#evict();
    }
    return entries;
  }

  #evict(): void {
    for (const [digest, { bytes }] of this.#kept) {
      if (this.#bytes <= this.#maximum) return;
      this.#kept.delete(digest);
      this.#bytes -= bytes;
    }
  }
}

// Objects and a 64-digit text for each entry, and its name.
function memoryOf(entries: readonly NamedEntry[]): number {
  let bytes = 200;
  for (const { name, entry } of entries) {
    bytes += 240 + 2 * name.length + (entry.kind === 'link' ? 2 * entry.target.length : 0);
  }
  return bytes;
}
