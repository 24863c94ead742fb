/** Puts contents onto disk: directories, links, and hard links to the store's own read-only files where possible. */
import { constants } from 'node:fs';
import { chmod, copyFile, link, mkdir, stat, symlink } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { join } from 'node:path';
import { BlobMissingError, ContentsError, DigestMismatchError } from '../errors.ts';
import type { BlobStore } from '../stores/blob-store.ts';
import { errorCode, translateStorageError } from '../stores/directory/storage-error.ts';
import { inParallel } from '../transfer/in-parallel.ts';
import type { Entry, FileEntry } from '../tree/entry.ts';
import { walkTree } from '../tree/walk.ts';
import { hashFile } from './hash-file.ts';

export interface MaterialiseOptions {
  /** Where blobs are taken from that the store lacks: the server's store, where it is on a filesystem that is seen here. */
  readonly linkFrom?: BlobStore;
  /** Re-hashes each file as it is put in place. */
  readonly verify?: boolean;
  /**
   * `link` shares the store's files: read-only, and to be kept from writers by a read-only mount. `copy` makes files of their
   * own that may be changed.
   */
  readonly files?: 'link' | 'copy';
  readonly signal?: AbortSignal;
}

const atOnce = 16;
/** What a hard link fails with where a copy will do: other filesystem, not our file, too many links, not supported. */
const copyInstead = new Set(['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EACCES', 'EROFS']);

/**
 * Makes `destination`, which must not exist; its parent must.
 * @throws BlobMissingError, DigestMismatchError (with `verify`), ContentsError where something is at `destination` already
 */
export async function materialise(
  store: BlobStore,
  entry: Entry,
  destination: string,
  options: MaterialiseOptions = {},
): Promise<void> {
  const trees = {
    bytes: async (digest: string) => await (await holderOf(digest, store, options)).bytes(digest),
  };
  const limit = { atOnce, signal: options.signal };
  const files = async function* (): AsyncGenerator<{ path: string; entry: FileEntry }, undefined> {
    for await (const { path, entry: walked } of walkTree(trees, entry)) {
      const absolute = path === '' ? destination : join(destination, path);
      if (walked.kind === 'tree') await made(mkdir(absolute), absolute);
      else if (walked.kind === 'link') await made(symlink(walked.target, absolute), absolute);
      else yield { path: absolute, entry: walked };
    }
    return undefined;
  };
  await inParallel(files(), limit, async (file) => {
    await placeFile(await holderOf(file.entry.digest, store, options), file.entry, file.path, options);
  });
}

async function made(work: Promise<unknown>, path: string): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') throw new ContentsError(`${path} exists already`, { cause: error });
    throw translateStorageError(error);
  }
}

async function holderOf(digest: string, store: BlobStore, options: MaterialiseOptions): Promise<BlobStore> {
  if (options.linkFrom === undefined || (await store.has(digest))) return store;
  if (await options.linkFrom.has(digest)) return options.linkFrom;
  throw new BlobMissingError(digest);
}

async function placeFile(
  store: BlobStore,
  entry: FileEntry,
  path: string,
  options: MaterialiseOptions,
): Promise<void> {
  if (!store.capabilities.localPaths) await download(store, entry, path, options);
  else if (options.files === 'copy') await copy(store.localPath(entry.digest), entry, path, 0o200);
  else await linkOrCopy(store, entry, path);
  if (options.verify !== true) return;
  const found = await hashFile(path);
  if (found.digest !== entry.digest) throw new DigestMismatchError(entry.digest, found.digest);
}

async function linkOrCopy(store: BlobStore, entry: FileEntry, path: string): Promise<void> {
  try {
    const source = entry.executable
      ? await store.executablePath(entry.digest)
      : store.localPath(entry.digest);
    await link(source, path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') throw new BlobMissingError(entry.digest, { cause: error });
    if (errorCode(error) === 'EEXIST') throw new ContentsError(`${path} exists already`, { cause: error });
    if (!copyInstead.has(errorCode(error) ?? '')) throw translateStorageError(error);
    await copy(store.localPath(entry.digest), entry, path, 0);
  }
}

async function copy(from: string, entry: FileEntry, path: string, writable: number): Promise<void> {
  try {
    await copyFile(from, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    await chmod(path, (entry.executable ? 0o555 : 0o444) | writable);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw translateStorageError(error);
    const there = await stat(from).catch(() => undefined);
    throw there === undefined
      ? new BlobMissingError(entry.digest, { cause: error })
      : translateStorageError(error);
  }
}

async function download(
  store: BlobStore,
  entry: FileEntry,
  path: string,
  options: MaterialiseOptions,
): Promise<void> {
  const writable = options.files === 'copy' ? 0o200 : 0;
  const mode = (entry.executable ? 0o555 : 0o444) | writable;
  await made(pipeline(store.read(entry.digest), createWriteStream(path, { flags: 'wx', mode })), path);
}
