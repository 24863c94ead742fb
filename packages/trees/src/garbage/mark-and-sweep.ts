/** Removes blobs that nothing refers to. */
import type { BlobStore } from '../stores/blob-store.ts';
import { Breather } from '../tree/breathe.ts';
import { decodeLargeTree } from '../tree/decode.ts';
import type { Digest, Entry } from '../tree/entry.ts';

export interface SweepOptions {
  /**
   * Milliseconds since the epoch: what was written or claimed since stays. It must lie further back than the longest upload,
   * from its offer to its commit, takes.
   */
  readonly olderThan: number;
  /** Digests that stay although no root leads to them: leases of uploads that are running. */
  readonly keep?: ReadonlySet<Digest>;
  readonly signal?: AbortSignal;
}

export interface SweepResult {
  /** Blobs that something refers to. */
  readonly marked: number;
  readonly removed: number;
  /** Bytes. */
  readonly freed: number;
  /** Blobs that something refers to, and that are not there: damage to report. */
  readonly missing: readonly Digest[];
}

const atOnce = 64;

/**
 * Marks what the roots lead to, then removes what is neither marked, kept nor young. Every tree is read once. Give it the
 * roots of every bundle, those of running uploads included; when reading them fails, nothing is removed.
 */
export async function markAndSweep(
  store: BlobStore,
  roots: AsyncIterable<Entry> | Iterable<Entry>,
  options: SweepOptions,
): Promise<SweepResult> {
  const { marked, missing } = await mark(store, roots, options.signal);
  let removed = 0;
  let freed = 0;
  for await (const { digest, size, modifiedAt } of store.list()) {
    options.signal?.throwIfAborted();
    if (marked.has(digest) || options.keep?.has(digest) === true || modifiedAt >= options.olderThan) continue;
    // The store looks at the time again: between the listing and now an upload may have claimed it.
    if (!(await store.delete(digest, { olderThan: options.olderThan }))) continue;
    removed += 1;
    freed += size;
  }
  return { marked: marked.size, removed, freed, missing };
}

async function mark(
  store: BlobStore,
  roots: AsyncIterable<Entry> | Iterable<Entry>,
  signal: AbortSignal | undefined,
): Promise<{ marked: Set<Digest>; missing: Digest[] }> {
  const marked = new Set<Digest>();
  const missing: Digest[] = [];
  const trees: Digest[] = [];
  const breather = new Breather();
  const reach = (entry: Entry): void => {
    if (entry.kind === 'link' || marked.has(entry.digest)) return;
    marked.add(entry.digest);
    if (entry.kind === 'tree') trees.push(entry.digest);
  };
  const drain = async (): Promise<void> => {
    while (trees.length > 0) {
      signal?.throwIfAborted();
      for (const bytes of await presentTrees(store, trees.splice(-atOnce), missing)) {
        for (const { entry } of await decodeLargeTree(bytes)) reach(entry);
        if (breather.due) await breather.rest();
      }
    }
  };
  for await (const root of roots) {
    reach(root);
    if (trees.length >= atOnce) await drain();
  }
  await drain();
  return { marked, missing };
}

async function presentTrees(
  store: BlobStore,
  digests: readonly Digest[],
  missing: Digest[],
): Promise<Buffer[]> {
  const present: Digest[] = [];
  for (const digest of digests) {
    if (await store.has(digest)) present.push(digest);
    else missing.push(digest);
  }
  return await store.bytesMany(present);
}
