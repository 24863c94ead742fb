/* What the database knows about a bundle's contents. */
import { entry as entrySchema } from '@sheaf/wire';
import type { Entry } from '@sheaf/trees';
import type { BundleRow } from '../bundles/transition.ts';

/** The root of the stored contents, or undefined while there are none. */
export function storedEntry(bundle: Pick<BundleRow, 'root_entry'>): Entry | undefined {
  return bundle.root_entry === null ? undefined : entrySchema.parse(JSON.parse(bundle.root_entry));
}

/** The columns for new contents, or for none. */
export function rootEntryColumns(entry: Entry | undefined): { json: string; digest: string | null } | null {
  if (entry === undefined) return null;
  return { json: JSON.stringify(entry), digest: entry.kind === 'link' ? null : entry.digest };
}

/** Bytes the contents count for quotas: of a link, its target. */
export function sizeOf(entry: Entry): number {
  return entry.kind === 'link' ? Buffer.byteLength(entry.target) : entry.size;
}

export interface ContentsSummary {
  readonly kind: 'none' | Entry['kind'];
  /** Bytes. */
  readonly size: number;
  readonly files: number;
  /** SHA-256 of the root; null for none and for links. */
  readonly digest: string | null;
}

/** For bundle resources. */
export function contentsSummary(bundle: Pick<BundleRow, 'root_entry'>): ContentsSummary {
  const entry = storedEntry(bundle);
  if (entry === undefined) return { kind: 'none', size: 0, files: 0, digest: null };
  return {
    kind: entry.kind,
    size: sizeOf(entry),
    files: entry.kind === 'tree' ? entry.files : 1,
    digest: entry.kind === 'link' ? null : entry.digest,
  };
}
