/**
 * The last reading of a group of version 2 that somebody else removes. The kernel tells when its last process has ended; whoever
 * made the group takes some milliseconds from then until it is gone, and in these it is read once more.
 */
import { readFileSync, watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../files/errno.ts';

export interface Following<Reading> {
  /** What was read when the group had become empty; undefined until then, or where it was too late. */
  readonly last: Reading | undefined;
  stop(): void;
}

/** @param read answers undefined where the group has gone */
export function followGroup<Reading>(directory: string, read: () => Reading | undefined): Following<Reading> {
  let last: Reading | undefined;
  let watcher: FSWatcher | undefined;
  const look = (): void => {
    const reading = isPopulated(directory) ? undefined : read();
    last = reading ?? last;
  };
  try {
    watcher = watch(join(directory, 'cgroup.events'), { persistent: false });
  } catch (error) {
    // It may have gone already: then there is nothing to follow.
    if (!isErrno(error, 'ENOENT')) throw error;
  }
  watcher?.on('change', () => {
    try {
      look();
    } catch {
      // What cannot be read now cannot be read later.
      watcher?.close();
    }
  });
  // A group that goes away ends the watching; nothing is lost by that.
  watcher?.on('error', () => watcher?.close());
  return {
    get last() {
      return last;
    },
    stop: () => watcher?.close(),
  };
}

/** A group that has gone has no processes either, but nothing to read. */
function isPopulated(directory: string): boolean {
  try {
    return /^populated 1$/m.test(readFileSync(join(directory, 'cgroup.events'), 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) {
      return false;
    }
    throw error;
  }
}
