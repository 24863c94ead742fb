/*
 * Bundles that stand for a path on the server's disk (bundles.md §12.9). Only paths below the operator's link roots are read;
 * all others are as if they did not exist. Nothing of it is stored.
 */
import { lstat, readdir, readlink, realpath } from 'node:fs/promises';
import { createReadStream, type Stats } from 'node:fs';
import { spawn } from 'node:child_process';
import { basename, join, resolve, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { PathNotFoundError } from '@sheaf/trees';
import type { TargetInfo } from '@sheaf/wire';
import type { BundleRow } from '../bundles/transition.ts';
import { storedMetadata } from '../bundles/row.ts';

/** The path a bundle links to, or undefined for bundles with contents of their own. */
export function linkOf(bundle: Pick<BundleRow, 'metadata'>): string | undefined {
  const url = storedMetadata(bundle)['link_url'];
  return typeof url === 'string' && url !== '' ? url : undefined;
}

/**
 * The real place of a path below a linked bundle; a link in the last place is not followed.
 * @throws PathNotFoundError where it does not exist, or lies outside the bundle or all link roots
 */
export async function linkedPath(roots: readonly string[], link: string, path: string): Promise<string> {
  const components = path.split('/').filter((part) => part !== '' && part !== '.');
  if (components.includes('..')) throw new PathNotFoundError(path);
  const root = await realpathOr(resolve(link), path);
  if (!(await isBelowAny(roots, root))) throw new PathNotFoundError(path);
  const last = components.pop();
  if (last === undefined) return root;
  const parent = await realpathOr(join(root, ...components), path);
  if (!isBelow(root, parent)) throw new PathNotFoundError(path);
  const place = join(parent, last);
  await lstatOr(place, path);
  return place;
}

export async function linkedInfo(place: string, name: string, depth: number): Promise<TargetInfo> {
  const stat = await lstatOr(place, name);
  const base = { name, size: stat.size, perm: stat.mode & 0o777 };
  if (stat.isSymbolicLink()) return { ...base, type: 'link', link: await readlink(place) };
  if (stat.isFile()) return { ...base, type: 'file' };
  if (!stat.isDirectory()) return { ...base, type: '' };
  if (depth === 0) return { ...base, type: 'directory' };
  const contents: TargetInfo[] = [];
  for (const child of (await readdir(place)).toSorted()) {
    contents.push(await linkedInfo(join(place, child), child, depth - 1));
  }
  return { ...base, type: 'directory', contents };
}

export function readLinkedFile(place: string, range: { offset?: number; length?: number } = {}): Readable {
  const start = range.offset ?? 0;
  if (range.length === undefined) return createReadStream(place, { start });
  if (range.length === 0) return createReadStream('/dev/null');
  return createReadStream(place, { start, end: start + range.length - 1 });
}

/** A tar.gz of a directory on disk, made by the system's tar; it breaks off when tar fails. */
export function packLinkedDirectory(place: string): Readable {
  const left = ['--exclude=.git', '--exclude=._*', '--exclude=__MACOSX'];
  const tar = spawn('tar', ['-czf', '-', '-C', place, ...left, '.'], { stdio: ['ignore', 'pipe', 'ignore'] });
  tar.once('error', (error) => tar.stdout.destroy(error));
  tar.once('exit', (code) => {
    if (code !== 0) tar.stdout.destroy(new Error(`tar ended with ${String(code)}`));
  });
  tar.stdout.once('close', () => tar.kill());
  return tar.stdout;
}

export function linkedName(link: string): string {
  return basename(resolve(link));
}

async function isBelowAny(roots: readonly string[], place: string): Promise<boolean> {
  for (const root of roots) {
    try {
      if (isBelow(await realpath(root), place)) return true;
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return false;
}

function isBelow(root: string, place: string): boolean {
  return place === root || place.startsWith(root.endsWith(sep) ? root : root + sep);
}

async function realpathOr(place: string, shown: string): Promise<string> {
  try {
    return await realpath(place);
  } catch (error) {
    if (isMissing(error)) throw new PathNotFoundError(shown);
    throw error;
  }
}

async function lstatOr(place: string, shown: string): Promise<Stats> {
  try {
    return await lstat(place);
  } catch (error) {
    if (isMissing(error)) throw new PathNotFoundError(shown);
    throw error;
  }
}

const missingCodes = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES']);

function isMissing(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    missingCodes.has(error.code)
  );
}
