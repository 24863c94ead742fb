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
