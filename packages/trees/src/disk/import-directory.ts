/** Brings a directory on disk into a store. */
import { Buffer } from 'node:buffer';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { FileChangedError } from '../errors.ts';
import type { BlobStore } from '../stores/blob-store.ts';
import { Intake } from '../stores/intake.ts';
import { sealDraft } from '../tree/draft.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { signalOf } from './hash-directory.ts';
import { hashFile, isSameVersion, piecesOf } from './hash-file.ts';
import { scanDirectory, type ScannedFile, type ScanOptions } from './scan.ts';

export interface ImportDirectoryOptions extends ScanOptions {
  /**
   * The directory is the caller's own and nobody writes to it any more: large files are hard-linked into the store where
   * that is possible, and become read-only.
   */
  readonly takeOver?: boolean;
}

/**
 * Stores everything below a directory and answers its tree. Not durable yet: call `store.durable()`.
 * @throws FileChangedError, InvalidNameError; errors of the filesystem and the store as they are
 */
export async function importDirectory(
  store: BlobStore,
  path: string,
  options: ImportDirectoryOptions = {},
): Promise<TreeEntry> {
  const intake = new Intake(store);
  try {
    const draft = await scanDirectory(path, options, {
      small: ({ draft: file }, bytes) =>
        intake.add(Buffer.from(bytes), (digest) => {
          file.digest = digest;
        }),
      large: (file) =>
        options.takeOver === true ? takeOver(store, file, options) : copy(intake, file, options),
    });
    await intake.finish();
    const root = await sealDraft(draft, (_digest, bytes) => intake.add(bytes));
    await intake.finish();
    return root;
  } catch (error) {
    await intake.abandon();
    throw error;
  }
}

async function takeOver(store: BlobStore, file: ScannedFile, options: ScanOptions): Promise<void> {
  const { digest, size } = await hashFile(file.path, signalOf(options));
  file.draft.digest = digest;
  file.draft.size = size;
  await store.adopt(file.path, { digest, size });
}

async function copy(intake: Intake, file: ScannedFile, options: ScanOptions): Promise<void> {
  const follow = options.followLinks === true ? 0 : constants.O_NOFOLLOW;
  const handle = await open(file.path, constants.O_RDONLY | follow);
  try {
    if (!isSameVersion(file.stat, await handle.stat())) throw new FileChangedError(file.path);
    const stored = await intake.stream(piecesOf(handle));
    options.signal?.throwIfAborted();
    if (stored.size !== file.stat.size || !isSameVersion(file.stat, await handle.stat())) {
      throw new FileChangedError(file.path);
    }
    file.draft.digest = stored.digest;
  } finally {
    await handle.close();
  }
}
