/** How much a run has written (execution.md §21.1). */
import type { Dirent } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../errors.ts';

/**
 * Bytes of all files below a directory; links and directories themselves cost nothing, as in the size of stored results. What
 * disappears meanwhile does not count.
 */
export async function measureDirectory(root: string, signal?: AbortSignal): Promise<number> {
  let bytes = 0;
  const pending = [root];
  for (;;) {
    const directory = pending.pop();
    if (directory === undefined) return bytes;
    for await (const entry of entriesOf(directory)) {
      signal?.throwIfAborted();
      if (entry.isDirectory()) pending.push(join(directory, entry.name));
      else if (entry.isFile()) bytes += await sizeOf(join(directory, entry.name));
    }
  }
}

async function* entriesOf(directory: string): AsyncGenerator<Dirent> {
  try {
    yield* await opendir(directory);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await lstat(path)).size;
  } catch (error) {
    if (isGone(error)) return 0;
    throw error;
  }
}

/** Gone since it was listed, or closed to the worker by the command. */
function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'EACCES'].includes(systemCode(error) ?? '');
}
