/** Removes blobs whose bytes have changed on disk, so that they are fetched again. */
import { stat } from 'node:fs/promises';
import { BlobMissingError, FileChangedError, InvalidTreeError } from '../errors.ts';
import { hashFile } from '../disk/hash-file.ts';
import type { BlobStore } from '../stores/blob-store.ts';
import { errorCode } from '../stores/directory/storage-error.ts';
import { decodeLargeTree } from '../tree/decode.ts';
import type { Digest, Entry } from '../tree/entry.ts';

/**
 * Reads every blob of an entry that a store of local files has, and removes those that are not what their digest says or may be
 * written to by everybody. What is missing is no damage. Answers the digests of what went.
 */
export async function removeDamaged(
  store: BlobStore,
  root: Entry,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Digest[]> {
  const removed: Digest[] = [];
  const seen = new Set<string>();
  const pending: Entry[] = [root];
  for (;;) {
    const entry = pending.pop();
    if (entry === undefined) return removed;
    options.signal?.throwIfAborted();
    if (entry.kind === 'link') continue;
    const executable = entry.kind === 'file' && entry.executable;
    const key = `${entry.digest} ${executable}`;
    if (seen.has(key)) continue;
    seen.add(key);
    if (!(await isWhole(store, entry.digest, executable))) {
      await store.delete(entry.digest);
      removed.push(entry.digest);
    } else if (entry.kind === 'tree') {
      for (const { entry: child } of await childrenOf(store, entry.digest)) pending.push(child);
    }
  }
}

async function isWhole(store: BlobStore, digest: Digest, executable: boolean): Promise<boolean> {
  if (!(await isFileWhole(store.localPath(digest), digest, 0o444))) return false;
  // A copy of its own, made when it is asked for.
  return (
    !executable ||
    !(await store.has(digest)) ||
    (await isFileWhole(await store.executablePath(digest), digest, 0o555))
  );
}

async function isFileWhole(path: string, digest: Digest, mode: number): Promise<boolean> {
  try {
    if (((await stat(path)).mode & 0o777) !== mode) return false;
    return (await hashFile(path)).digest === digest;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return true;
    // Somebody writes to it, or it cannot be read: no more to be trusted than wrong bytes.
    if (error instanceof FileChangedError || ['EACCES', 'EIO'].includes(errorCode(error) ?? '')) return false;
    throw error;
  }
}

async function childrenOf(store: BlobStore, digest: Digest) {
  try {
    return await decodeLargeTree(await store.bytes(digest));
  } catch (error) {
    if (error instanceof BlobMissingError || error instanceof InvalidTreeError) return [];
    throw error;
  }
}
