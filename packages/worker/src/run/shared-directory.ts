/** Runs whose directory the server has made, on a filesystem that both see (execution.md §24). */
import type { RunMessage } from '@sheaf/wire';
import { lstat, opendir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../errors.ts';
import { removeAll } from '../files.ts';
import { openTree } from '../open-tree.ts';
import { RunFailure } from './interruption.ts';

/** Where the run is to happen; undefined for runs that are fetched, and whose results are sent. */
export function sharedDirectoryOf(message: RunMessage): string | undefined {
  if (message.shared_marker === undefined) return undefined;
  return message.bundle.location ?? undefined;
}

/**
 * Another filesystem under the same paths would take the results and lose them.
 * @throws RunFailure of the platform, upon which another worker gets the run
 */
export async function requireSharedDirectory(message: RunMessage): Promise<void> {
  const { shared_marker: marker, bundle } = message;
  if (marker === undefined) return;
  const found = await textOf(marker.path);
  if (found === marker.text && (await isDirectory(bundle.location ?? ''))) return;
  throw new RunFailure(
    `This worker does not see the server's files: ${found === marker.text ? bundle.location : marker.path} is ${
      found === undefined || found === marker.text ? 'missing' : 'another'
    }. Start it without --shared-file-system, or mount the server's shared directory there`,
    'worker-unfit',
  );
}

/** Leaves in the directory what is to be kept, in a shape that the server can read. */
export async function tidySharedDirectory(
  directory: string,
  isExcluded: (path: string) => boolean,
): Promise<void> {
  await openTree(directory);
  await removeExcluded(directory, '', isExcluded);
}

async function removeExcluded(
  root: string,
  below: string,
  isExcluded: (path: string) => boolean,
): Promise<void> {
  for await (const entry of await opendir(join(root, below))) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (isExcluded(path)) await removeAll(join(root, path));
    else if (entry.isDirectory()) await removeExcluded(root, path, isExcluded);
  }
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'EISDIR'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory();
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'EACCES') return false;
    throw error;
  }
}
