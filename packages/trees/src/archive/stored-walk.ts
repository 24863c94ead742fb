/** Walks contents together with their bytes, the small ones read ahead many at once. */
import { smallBlob, type BlobStore } from '../stores/blob-store.ts';
import type { Trees } from '../tree/tree-source.ts';
import { walkTree, type WalkedEntry } from '../tree/walk.ts';
import type { Entry } from '../tree/entry.ts';

export interface StoredEntry extends WalkedEntry {
  /** The bytes of a small file; a large one is streamed from the store. */
  readonly bytes: Buffer | undefined;
}

export interface StoredWalkOptions {
  /** Reads trees through a cache instead of the store. */
  readonly trees?: Trees;
  readonly skip?: (walked: WalkedEntry) => boolean;
  readonly signal?: AbortSignal;
}

const aheadEntries = 512;
const aheadBytes = 4 * 1024 * 1024;

export async function* walkStored(
  store: BlobStore,
  root: Entry,
  options: StoredWalkOptions = {},
): AsyncGenerator<StoredEntry> {
  let ahead: WalkedEntry[] = [];
  let bytes = 0;
  for await (const walked of walkTree(options.trees ?? store, root, options)) {
    ahead.push(walked);
    if (isSmall(walked)) bytes += walked.entry.kind === 'file' ? walked.entry.size : 0;
    if (ahead.length < aheadEntries && bytes < aheadBytes) continue;
    yield* await withBytes(store, ahead);
    ahead = [];
    bytes = 0;
  }
  yield* await withBytes(store, ahead);
}

function isSmall(walked: WalkedEntry): boolean {
  return walked.entry.kind === 'file' && walked.entry.size <= smallBlob;
}

async function withBytes(store: BlobStore, ahead: readonly WalkedEntry[]): Promise<StoredEntry[]> {
  const digests = ahead.flatMap(({ entry }) =>
    entry.kind === 'file' && entry.size <= smallBlob ? [entry.digest] : [],
  );
  const found = digests.length === 0 ? [] : await store.bytesMany(digests);
  let next = 0;
  return ahead.map((walked) => {
    if (!isSmall(walked)) return { ...walked, bytes: undefined };
    const bytes = found[next];
    next += 1;
    return { ...walked, bytes };
  });
}
