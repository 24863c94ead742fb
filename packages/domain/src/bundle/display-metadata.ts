import { metadataKeys } from './metadata-table.ts';
import type { BundleState, BundleType } from './states.ts';

/** The `meta` of a bundle resource for pages and forms (bundles.md §4.8); names as they cross the wire. */
export interface DisplayMetadata {
  editable_metadata_keys: string[];
  metadata_type: Record<string, string>;
  metadata_descriptions: Record<string, string>;
}

export function displayMetadata(type: BundleType, state: BundleState): DisplayMetadata {
  const keys = metadataKeys(type);
  const locksOpen = state === 'created' || state === 'staged';
  return {
    editable_metadata_keys: keys
      .filter((specification) => !specification.generated && (!specification.locked || locksOpen))
      .map(({ key }) => key),
    metadata_type: Object.fromEntries(
      keys.map(({ key, type: valueType, format }) => [
        key,
        valueType === 'str' ? valueType : (format ?? valueType),
      ]),
    ),
    metadata_descriptions: Object.fromEntries(keys.map(({ key, help }) => [key, help])),
  };
}
