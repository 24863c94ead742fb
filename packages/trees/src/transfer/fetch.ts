/** Fetches contents: trees level by level, then the files the store lacks; small ones in packs, large ones resumable. */
import { IncompleteContentsError } from '../errors.ts';
import { smallBlob, type BlobStore } from '../stores/blob-store.ts';
import { decodeLargeTree } from '../tree/decode.ts';
import type { Digest, Entry } from '../tree/entry.ts';
import { inParallel } from './in-parallel.ts';
import type { FetchPeer } from './peer.ts';
import { receivePack } from './receive-pack.ts';

export interface FetchProgress {
  /** Bytes of files that are here. */
  readonly bytes: number;
  /** Bytes of all different files. */
  readonly totalBytes: number;
}

export interface FetchOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: FetchProgress) => void;
  /** Requests at once. */
  readonly atOnce?: number;
}

const treesAtOnce = 500;
const packBytes = 4 * 1024 * 1024;
const packBlobs = 1000;
/** Trees of directories with very many entries are long, and their length is not known before. */
const largestTree = 1024 * 1024 * 1024;

/**
 * Brings an entry, with all below it, into the store. Every blob is verified as it arrives. Fails at the first failure of the
 * peer: called again, it goes on where it was. Not durable yet: call `store.durable()` where that matters.
 * @throws DigestMismatchError, InvalidPackError, InvalidTreeError, IncompleteContentsError; errors of the peer as they are
 */
export async function fetchContents(
  entry: Entry,
  peer: FetchPeer,
  store: BlobStore,
  options: FetchOptions = {},
): Promise<void> {
  const limit = { atOnce: options.atOnce ?? 4, signal: options.signal };
  const files = new Map<Digest, number>();
  if (entry.kind === 'file') files.set(entry.digest, entry.size);
  const seen = new Set<Digest>();
  let level = entry.kind === 'tree' ? [entry.digest] : [];
  while (level.length > 0) {
    await fetchTrees(level, peer, store, limit);
    for (const digest of level) seen.add(digest);
    const next = new Set<Digest>();
    for (let at = 0; at < level.length; at += treesAtOnce) {
      for (const bytes of await store.bytesMany(level.slice(at, at + treesAtOnce))) {
        for (const { entry: child } of await decodeLargeTree(bytes)) {
          if (child.kind === 'tree' && !seen.has(child.digest)) next.add(child.digest);
          if (child.kind === 'file') files.set(child.digest, child.size);
        }
      }
    }
    level = [...next];
  }
  await fetchFiles(files, peer, store, limit, options.onProgress);
}

interface Limit {
  readonly atOnce: number;
  readonly signal: AbortSignal | undefined;
}

async function fetchTrees(
  digests: readonly Digest[],
  peer: FetchPeer,
  store: BlobStore,
  limit: Limit,
): Promise<void> {
  const sizes = await store.claim(digests);
  const missing = digests.filter((_, index) => sizes[index] === undefined);
  await inParallel(chunked(missing, treesAtOnce), limit, async (part, signal) => {
    await fetchPack(part, peer, store, signal, largestTree, () => undefined);
  });
}

type Task =
  | { readonly kind: 'pack'; readonly digests: readonly Digest[] }
  | { readonly kind: 'blob'; readonly digest: Digest; readonly size: number };

async function fetchFiles(
  files: ReadonlyMap<Digest, number>,
  peer: FetchPeer,
  store: BlobStore,
  limit: Limit,
  tell: FetchOptions['onProgress'],
): Promise<void> {
  const digests = [...files.keys()];
  const sizes = await store.claim(digests);
  const missing = new Map([...files].filter(([, size], index) => sizes[index] !== size));
  const totalBytes = sum(files.values());
  let bytes = totalBytes - sum(missing.values());
  const got = (length: number): void => {
    bytes += length;
    tell?.({ bytes, totalBytes });
  };
  got(0);
  await inParallel(tasksFor(missing), limit, async (task, signal) => {
    if (task.kind === 'pack') await fetchPack(task.digests, peer, store, signal, smallBlob, got);
    else await fetchBlob(task.digest, task.size, peer, store, signal, got);
  });
}

function* tasksFor(missing: ReadonlyMap<Digest, number>): Generator<Task, undefined> {
  let pack: Digest[] = [];
  let bytes = 0;
  for (const [digest, size] of missing) {
    if (size > smallBlob) {
      yield { kind: 'blob', digest, size };
      continue;
    }
    pack.push(digest);
    bytes += size;
    if (bytes < packBytes && pack.length < packBlobs) continue;
    yield { kind: 'pack', digests: pack };
    pack = [];
    bytes = 0;
  }
  if (pack.length > 0) yield { kind: 'pack', digests: pack };
  return undefined;
}

async function fetchPack(
  digests: readonly Digest[],
  peer: FetchPeer,
  store: BlobStore,
  signal: AbortSignal,
  largest: number,
  got: (length: number) => void,
): Promise<void> {
  const source = await peer.fetchPack(digests, { signal });
  const received = await receivePack(store, source, {
    signal,
    largest,
    onBlob: (_digest, size) => got(size),
  });
  const missing = digests.filter((digest) => !received.has(digest));
  if (missing.length > 0) {
    throw new IncompleteContentsError(`${missing.length} of ${digests.length} blobs did not come`, missing);
  }
}

async function fetchBlob(
  digest: Digest,
  size: number,
  peer: FetchPeer,
  store: BlobStore,
  signal: AbortSignal,
  got: (length: number) => void,
): Promise<void> {
  const partial = store.partial(digest, size);
  const offset = await partial.offset();
  got(offset);
  const source = await peer.fetchBlob(digest, offset, { signal });
  const { complete } = await partial.append(offset, counted(source, signal, got));
  if (!complete) throw new IncompleteContentsError(`${digest} was cut short`, [digest]);
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  got: (length: number) => void,
): AsyncGenerator<Uint8Array, undefined> {
  for await (const chunk of source) {
    signal.throwIfAborted();
    yield chunk;
    got(chunk.length);
  }
  return undefined;
}

function* chunked<T>(items: readonly T[], length: number): Generator<readonly T[], undefined> {
  for (let at = 0; at < items.length; at += length) yield items.slice(at, at + length);
  return undefined;
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
