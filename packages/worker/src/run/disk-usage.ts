/** How much a run has written (execution.md §21.1). */
import type { Dirent } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../errors.ts';

export interface DirectorySize {
  /** Of all files below; links and directories themselves cost nothing, as in the size of stored results. */
  readonly bytes: number;
  /** Something is closed to the worker, and was not counted. */
  readonly closed: boolean;
}

/** Files looked at together: each look waits for the disk by itself. */
const together = 64;

/** Measures a directory that a command may be writing to: what disappears meanwhile does not count. */
export async function measureDirectory(root: string, signal?: AbortSignal): Promise<DirectorySize> {
  let bytes = 0;
  let closed = false;
  const pending = [root];
  const files: string[] = [];
  const count = async (): Promise<void> => {
    for (const size of await Promise.all(files.splice(0).map(sizeOf))) bytes += size;
  };
  for (;;) {
    const directory = pending.pop();
    if (directory === undefined) {
      await count();
      return { bytes, closed };
    }
    const passed = await forEachEntry(directory, async (entry) => {
      signal?.throwIfAborted();
      if (entry.isDirectory()) pending.push(join(directory, entry.name));
      else if (entry.isFile()) files.push(join(directory, entry.name));
      if (files.length >= together) await count();
    });
    closed ||= !passed;
  }
}

/** @returns false where the directory is closed */
async function forEachEntry(directory: string, visit: (entry: Dirent) => Promise<void>): Promise<boolean> {
  try {
    for await (const entry of await opendir(directory, { bufferSize: 256 })) await visit(entry);
    return true;
  } catch (error) {
    if (isClosed(error)) return false;
    if (isGone(error)) return true;
    throw error;
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await lstat(path)).size;
  } catch (error) {
    if (isGone(error) || isClosed(error)) return 0;
    throw error;
  }
}

/** Gone since it was listed. */
function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '');
}

/** By the command, or by a path that is longer than the system takes. */
function isClosed(error: unknown): boolean {
  return ['EACCES', 'ENAMETOOLONG'].includes(systemCode(error) ?? '');
}
