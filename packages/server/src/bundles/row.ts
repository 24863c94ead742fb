/* What a stored bundle says, in the domain's terms. */
import {
  bundleStates,
  bundleTypes,
  type BundleState,
  type BundleType,
  type MetadataValue,
} from '@sheaf/domain';
import type { BundleRow } from './transition.ts';

export function isBundleType(text: string): text is BundleType {
  return (bundleTypes as readonly string[]).includes(text);
}

export function bundleType(row: Pick<BundleRow, 'uuid' | 'bundle_type'>): BundleType {
  if (isBundleType(row.bundle_type)) return row.bundle_type;
  throw new Error(`Bundle ${row.uuid} has the unknown type ${row.bundle_type}`);
}

export function bundleState(row: Pick<BundleRow, 'uuid' | 'state'>): BundleState {
  const state = bundleStates.find((known) => known === row.state);
  if (state === undefined) throw new Error(`Bundle ${row.uuid} has the unknown state ${row.state}`);
  return state;
}

/** What people see of the metadata that are set. @param waitsFor as in `BundleView` */
export function shownMetadata(
  row: Pick<BundleRow, 'metadata'>,
  waitsFor: string | undefined,
): Record<string, MetadataValue> {
  const stored = storedMetadata(row);
  return waitsFor === undefined ? stored : { ...stored, staged_status: waitsFor };
}

/** The metadata that are set; `completeMetadata` adds what clients expect besides. */
export function storedMetadata(row: Pick<BundleRow, 'metadata'>): Record<string, MetadataValue> {
  return JSON.parse(row.metadata) as Record<string, MetadataValue>;
}
