/** What `cl upload` was given: local paths, looked at before anything is created (cli.md §8.1). */
import { lstatSync, realpathSync, statSync, type Stats } from 'node:fs';
import { basename, resolve } from 'node:path';
import { expandHome } from '../configuration/places.ts';
import { UsageError } from '../usage-error.ts';

export interface LocalFile {
  readonly kind: 'file';
  readonly path: string;
  readonly base: string;
  /** Bytes. */
  readonly size: number;
  readonly executable: boolean;
}

export interface LocalDirectory {
  readonly kind: 'directory';
  readonly path: string;
  readonly base: string;
}

export type LocalSource = LocalFile | LocalDirectory;

export type Sources =
  | LocalSource
  | { readonly kind: 'several'; readonly members: readonly LocalSource[] }
  | { readonly kind: 'stdin' };

/**
 * @param followLinks takes what the given paths lead to.
 * @throws UsageError for what does not exist, cannot be uploaded, or would lie on top of each other.
 */
export function readSources(paths: readonly string[], followLinks: boolean): Sources {
  const [only, ...others] = paths;
  if (only !== undefined && others.length === 0) {
    return only === '-' ? { kind: 'stdin' } : readSource(only, followLinks);
  }
  if (paths.includes('-'))
    throw new UsageError('Standard input (-) cannot be uploaded together with other files.');
  const members = paths.map((path) => readSource(path, followLinks));
  for (const [at, { base, path }] of members.entries()) {
    const same = members.slice(0, at).find((other) => other.base === base);
    if (same === undefined) continue;
    throw new UsageError(
      `${same.path} and ${path} have the same name, "${base}".`,
      'Rename one of them, or upload them apart.',
    );
  }
  return { kind: 'several', members };
}

function readSource(typed: string, followLinks: boolean): LocalSource {
  const given = resolve(expandHome(typed));
  const found = lstatSync(given, { throwIfNoEntry: false });
  if (found === undefined) throw new UsageError(`There is no file or directory ${typed}.`);
  if (!found.isSymbolicLink()) return sourceOf(given, found);
  if (!followLinks) {
    throw new UsageError(`Not following symlinks: ${typed} is one.`, 'With -L its target is uploaded.');
  }
  if (statSync(given, { throwIfNoEntry: false }) === undefined) {
    throw new UsageError(`Broken symlink: ${typed} leads nowhere.`);
  }
  const target = realpathSync(given);
  return sourceOf(target, statSync(target));
}

function sourceOf(path: string, stat: Stats): LocalSource {
  const base = basename(path);
  if (stat.isDirectory()) return { kind: 'directory', path, base };
  if (stat.isFile()) {
    return { kind: 'file', path, base, size: stat.size, executable: (stat.mode & 0o100) !== 0 };
  }
  throw new UsageError(
    `${path} is neither a file nor a directory.`,
    'Upload a stream with `… | cl upload -`.',
  );
}
