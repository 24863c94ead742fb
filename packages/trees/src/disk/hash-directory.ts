/** Hashes a directory in place, without copying anything: worker results and uploads start from it. */
import { digestOf } from '../tree/digest.ts';
import { sealDraft } from '../tree/draft.ts';
import type { Digest } from '../tree/entry.ts';
import { hashFile } from './hash-file.ts';
import { HashedBytes, HashedOnDisk, type HashedBlob, type HashedTree } from './hashed-tree.ts';
import { scanDirectory, type ScanOptions } from './scan.ts';

export type HashDirectoryOptions = ScanOptions;

/**
 * Small files are read with synchronous calls in short stretches, large ones are streamed; a thousand files cost about 40 ms.
 * @throws FileChangedError where a file is written to meanwhile, InvalidNameError on names that contents cannot hold, and the
 * errors of the filesystem as they are
 */
export async function hashDirectory(path: string, options: HashDirectoryOptions = {}): Promise<HashedTree> {
  const blobs = new Map<Digest, HashedBlob>();
  const draft = await scanDirectory(path, options, {
    small: (file, bytes) => {
      file.draft.digest = digestOf(bytes);
      keep(blobs, new HashedOnDisk(file.draft.digest, file.path, file.stat));
      return undefined;
    },
    large: async (file) => {
      const hashed = await hashFile(file.path, signalOf(options));
      file.draft.digest = hashed.digest;
      file.draft.size = hashed.size;
      keep(
        blobs,
        new HashedOnDisk(hashed.digest, file.path, {
          size: hashed.size,
          mtimeMs: file.stat.mtimeMs,
          ino: file.stat.ino,
        }),
      );
    },
  });
  const root = await sealDraft(draft, (digest, bytes) => {
    keep(blobs, new HashedBytes(digest, bytes));
    return undefined;
  });
  return { root, blobs };
}

function keep(blobs: Map<Digest, HashedBlob>, blob: HashedBlob): void {
  if (!blobs.has(blob.digest)) blobs.set(blob.digest, blob);
}

export function signalOf(options: { readonly signal?: AbortSignal }): { signal?: AbortSignal } {
  return options.signal === undefined ? {} : { signal: options.signal };
}
