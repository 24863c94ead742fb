/** Hashes local files and directories where they lie; several become one directory with each under its name. */
import {
  digestOf,
  encodeTree,
  excludeNames,
  excludePatterns,
  hashDirectory,
  hashFile,
  HashedBytes,
  HashedOnDisk,
  totalsOf,
  type HashDirectoryOptions,
  type HashedBlob,
  type HashedTree,
  type NamedEntry,
} from '@sheaf/trees';
import { statSync } from 'node:fs';
import type { LocalDirectory, LocalFile, LocalSource } from './sources.ts';

export interface HashOptions {
  readonly exclude: readonly string[];
  /** Name of files that list what to leave out of their directory. */
  readonly ignoreFile: string | undefined;
  readonly followLinks: boolean;
  /** Told the bytes of each piece that was hashed. */
  readonly onBytes?: (bytes: number) => void;
  readonly onLeftOut: (path: string, reason: string) => void;
}

/** Patterns may match at any depth, and `*` also slashes, as in GNU tar. */
export function hashTree(source: LocalDirectory, options: HashOptions): Promise<HashedTree> {
  return hashDirectory(source.path, {
    exclude: excludePatterns(options.exclude),
    followLinks: options.followLinks,
    onLeftOut: options.onLeftOut,
    ...(options.ignoreFile === undefined ? {} : { excludeIgnore: options.ignoreFile }),
  });
}

export async function hashSingle(source: LocalFile, onBytes?: (bytes: number) => void): Promise<HashedTree> {
  const root = await hashFile(source.path, onBytes === undefined ? {} : { onBytes });
  const blob = new HashedOnDisk(root.digest, source.path, statSync(source.path));
  return { root, blobs: new Map([[root.digest, blob]]) };
}

/** Patterns match base names; the sources themselves can be left out, too. */
export async function hashSeveral(
  sources: readonly LocalSource[],
  options: HashOptions,
): Promise<HashedTree> {
  const leftOut = excludeNames(options.exclude);
  const inside: HashDirectoryOptions = { exclude: leftOut, onLeftOut: options.onLeftOut };
  const blobs = new Map<string, HashedBlob>();
  const entries: NamedEntry[] = [];
  for (const source of sources) {
    if (leftOut(source.base)) continue;
    const hashed =
      source.kind === 'file'
        ? await hashSingle(source, options.onBytes)
        : await hashDirectory(source.path, inside);
    for (const [digest, blob] of hashed.blobs) blobs.set(digest, blob);
    entries.push({ name: source.base, entry: hashed.root });
  }
  const bytes = encodeTree(entries);
  const digest = digestOf(bytes);
  blobs.set(digest, new HashedBytes(digest, bytes));
  return { root: { kind: 'tree', digest, ...totalsOf(entries) }, blobs };
}
