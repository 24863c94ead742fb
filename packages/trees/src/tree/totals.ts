/** What an entry adds to the totals of the tree that holds it. */
import { assertNever } from '@sheaf/domain';
import type { Entry, NamedEntry } from './entry.ts';

/** Bytes of all files below the entry, or of the file itself; links count nothing. */
export function sizeOf(entry: Entry): number {
  return entry.kind === 'link' ? 0 : entry.size;
}

/** Number of files and links: 1 for a file or link itself. */
export function filesOf(entry: Entry): number {
  switch (entry.kind) {
    case 'file':
    case 'link':
      return 1;
    case 'tree':
      return entry.files;
    default:
      return assertNever(entry);
  }
}

export function totalsOf(entries: readonly NamedEntry[]): { size: number; files: number } {
  let size = 0;
  let files = 0;
  for (const { entry } of entries) {
    size += sizeOf(entry);
    files += filesOf(entry);
  }
  return { size, files };
}
