/** Puts contents onto disk: directories, links, and hard links to the store's own read-only files where possible. */
import { constants } from 'node:fs';
import { chmod, copyFile, link, mkdir, stat, symlink } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { join } from 'node:path';
import { BlobMissingError, ContentsError, DigestMismatchError } from '../errors.ts';
import type { BlobStore, FailedPlacement, Placement } from '../stores/blob-store.ts';
import { errorCode, translateStorageError } from '../stores/directory/storage-error.ts';
import { inParallel } from '../transfer/in-parallel.ts';
import type { Entry, FileEntry } from '../tree/entry.ts';
import { walkTree } from '../tree/walk.ts';
import { signalOf } from './hash-directory.ts';
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
/** Directories and links that the store's thread makes in one go. */
const batch = 512;
/** What a hard link fails with where a copy will do: other filesystem, not our file, too many links, not supported. */
const copyInstead = new Set(['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EACCES', 'EROFS']);

/**
 * Makes `destination`, which must not exist; its parent must. Links are made many at once: ten thousand take some 100 ms.
 * @throws BlobMissingError, DigestMismatchError (with `verify`), ContentsError where something is at `destination` already
 */
export async function materialise(
  store: BlobStore,
  entry: Entry,
  destination: string,
  options: MaterialiseOptions = {},
): Promise<void> {
  const links = store.capabilities.localPaths && options.files !== 'copy';
  const files = links
    ? linkAll(store, entry, destination, options)
    : makeDirectories(store, entry, destination, options);
  await inParallel(files, { atOnce, signal: options.signal }, async (file) => {
    if (!file.placed) {
      await placeFile(await holderOf(file.entry.digest, store, options), file.entry, file.path, options);
    }
    if (options.verify === true) await verify(file.entry, file.path);
  });
}

interface FoundFile {
  readonly path: string;
  readonly entry: FileEntry;
  /** It is there already. */
  readonly placed: boolean;
}

async function* walk(
  store: BlobStore,
  entry: Entry,
  destination: string,
  options: MaterialiseOptions,
): AsyncGenerator<{ readonly path: string; readonly entry: Entry }, undefined> {
  const trees = {
    bytes: async (digest: string) => await (await holderOf(digest, store, options)).bytes(digest),
  };
  for await (const { path, entry: walked } of walkTree(trees, entry, signalOf(options))) {
    yield { path: path === '' ? destination : join(destination, path), entry: walked };
  }
  return undefined;
}

/** One after the other; answers the files, which are still to be made. */
async function* makeDirectories(
  store: BlobStore,
  root: Entry,
  destination: string,
  options: MaterialiseOptions,
): AsyncGenerator<FoundFile, undefined> {
  for await (const { path, entry } of walk(store, root, destination, options)) {
    if (entry.kind === 'tree') await made(mkdir(path), path);
    else if (entry.kind === 'link') await made(symlink(entry.target, path), path);
    else yield { path, entry, placed: false };
  }
  return undefined;
}

/**
 * All of it in batches, the next one being put together while the store's thread makes the last; answers the files that could not
 * be linked so, and with `verify` the others, too.
 */
async function* linkAll(
  store: BlobStore,
  root: Entry,
  destination: string,
  options: MaterialiseOptions,
): AsyncGenerator<FoundFile, undefined> {
  let collected: Batch = { placements: [], files: [] };
  let running: Promise<FoundFile[]> = Promise.resolve([]);
  const next = async (): Promise<FoundFile[]> => {
    const last = await running;
    running = placeBatch(store, collected, options);
    // It is looked at a little later.
    running.catch(() => undefined);
    collected = { placements: [], files: [] };
    return last;
  };
  try {
    for await (const { path, entry } of walk(store, root, destination, options)) {
      collected.placements.push(placementOf(path, entry));
      collected.files.push(entry.kind === 'file' ? entry : undefined);
      if (collected.placements.length >= batch) yield* await next();
    }
    yield* await next();
    yield* await running;
  } finally {
    // Whoever clears up after a failure must not meet what is still being made.
    await Promise.allSettled([running]);
  }
  return undefined;
}

interface Batch {
  readonly placements: Placement[];
  /** The files among them, by the same index. */
  readonly files: (FileEntry | undefined)[];
}

async function placeBatch(
  store: BlobStore,
  { placements, files }: Batch,
  options: MaterialiseOptions,
): Promise<FoundFile[]> {
  const failed = new Map((await store.place(placements)).map((failure) => [failure.index, failure]));
  const found: FoundFile[] = [];
  for (const [index, { path }] of placements.entries()) {
    const failure = failed.get(index);
    const entry = files[index];
    if (failure !== undefined) refuse(failure, path, entry);
    if (entry !== undefined && (failure !== undefined || options.verify === true)) {
      found.push({ path, entry, placed: failure === undefined });
    }
  }
  return found;
}

function placementOf(path: string, entry: Entry): Placement {
  if (entry.kind === 'tree') return { kind: 'directory', path };
  if (entry.kind === 'link') return { kind: 'link', path, target: entry.target };
  return { kind: 'file', path, digest: entry.digest, executable: entry.executable };
}

/** Throws unless another way may do: the blob elsewhere, its executable copy made first, or a copy of it. */
function refuse({ code, message }: FailedPlacement, path: string, file: FileEntry | undefined): void {
  const error = Object.assign(new Error(message), { code });
  if (code === 'EEXIST') throw new ContentsError(`${path} exists already`, { cause: error });
  if (file !== undefined && (code === 'ENOENT' || copyInstead.has(code ?? ''))) return;
  throw translateStorageError(error);
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
}

async function verify(entry: FileEntry, path: string): Promise<void> {
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
