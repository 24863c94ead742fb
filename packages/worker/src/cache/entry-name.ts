/** What contents are called in the cache: equal contents share one name, whatever bundle they came from. */
import type { FileEntry, TreeEntry } from '@sheaf/trees';

export type CacheableEntry = FileEntry | TreeEntry;

export function entryName(entry: CacheableEntry): string {
  if (entry.kind === 'tree') return `${entry.digest}.tree`;
  return `${entry.digest}.${entry.executable ? 'program' : 'file'}`;
}
