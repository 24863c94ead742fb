/** What an upload becomes: an archive is unpacked as it streams, anything else is one file (bundles.md §12.5). */
import { assertNever } from '@sheaf/domain';
import type { BlobStore } from '../stores/blob-store.ts';
import { Intake } from '../stores/intake.ts';
import { sealDraft, type DraftTree } from '../tree/draft.ts';
import type { Entry, FileEntry } from '../tree/entry.ts';
import { destroyOnAbort } from './bound-source.ts';
import { bunzip2 } from './bzip2/bunzip2.ts';
import { gunzip } from './gunzip.ts';
import { importTar } from './import-tar.ts';
import { importZip } from './zip/import-zip.ts';
import type { ArchiveKind } from './kinds.ts';
import { LimitCounter, type ArchiveLimits } from './limits.ts';

export interface ImportOptions {
  readonly limits?: Partial<ArchiveLimits>;
  readonly signal?: AbortSignal;
  /** Bytes of the stream that have arrived, and entries found so far; called for each chunk. */
  readonly onProgress?: (progress: { readonly arrived: number; readonly entries: number }) => void;
}

/**
 * Unpacks an archive into the store in one pass and answers its root: a tree, or for `gz` and `bz2` a file. On refusal no
 * temporary file is left; blobs that were complete already stay until a sweep finds that nothing refers to them.
 * Not durable yet: call `store.durable()`.
 * @throws InvalidArchiveError naming the member it failed at, LimitExceededError; errors of the source as they are
 */
export async function importArchive(
  store: BlobStore,
  source: AsyncIterable<Uint8Array>,
  kind: ArchiveKind,
  options: ImportOptions = {},
): Promise<Entry> {
  const counter = new LimitCounter(options.limits);
  const packed = watched(counter.arriving(source, options.signal), counter, options);
  const intake = new Intake(store);
  const untie = destroyOnAbort(source, options.signal);
  try {
    switch (kind) {
      case 'tar.gz':
        return await seal(await importTar(counter.unpacking(gunzip(packed)), intake, counter), intake);
      case 'tar.bz2':
        return await seal(await importTar(counter.unpacking(bunzip2(packed)), intake, counter), intake);
      case 'zip':
        return await seal(await importZip(store, packed, intake, counter), intake);
      case 'gz':
        return await importUnpacked(counter, gunzip(packed), intake);
      case 'bz2':
        return await importUnpacked(counter, bunzip2(packed), intake);
      default:
        return assertNever(kind);
    }
  } catch (error) {
    await intake.abandon();
    throw error;
  } finally {
    untie();
  }
}

/** Stores a stream as one plain file. Not durable yet: call `store.durable()`. */
export async function importFile(
  store: BlobStore,
  source: AsyncIterable<Uint8Array>,
  options: ImportOptions & { readonly executable?: boolean } = {},
): Promise<FileEntry> {
  const counter = new LimitCounter(options.limits);
  const writer = await store.writer();
  const untie = destroyOnAbort(source, options.signal);
  try {
    for await (const chunk of source) {
      options.signal?.throwIfAborted();
      counter.arrive(chunk.length);
      counter.file(chunk.length);
      options.onProgress?.({ arrived: counter.arrived, entries: 0 });
      await writer.write(chunk);
    }
    options.signal?.throwIfAborted();
    return { kind: 'file', ...(await writer.commit()), executable: options.executable ?? false };
  } catch (error) {
    await writer.abort();
    throw error;
  } finally {
    untie();
  }
}

async function seal(draft: DraftTree, intake: Intake): Promise<Entry> {
  await intake.finish();
  const root = await sealDraft(draft, (_digest, bytes) => intake.add(bytes));
  await intake.finish();
  return root;
}

async function importUnpacked(
  counter: LimitCounter,
  unpacked: AsyncIterable<Uint8Array>,
  intake: Intake,
): Promise<FileEntry> {
  const stored = await intake.stream(countFile(counter, counter.unpacking(unpacked)));
  return { kind: 'file', ...stored, executable: false };
}

async function* countFile(
  counter: LimitCounter,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    counter.file(chunk.length);
    yield chunk;
  }
}

async function* watched(
  source: AsyncIterable<Uint8Array>,
  counter: LimitCounter,
  options: ImportOptions,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    options.onProgress?.({ arrived: counter.arrived, entries: counter.entries });
    yield chunk;
  }
}
