import { zeroOf, type Metadata, type MetadataValue } from './metadata-key.ts';
import { metadataKeys } from './metadata-table.ts';
import type { BundleType } from './states.ts';

/**
 * Metadata as clients read it (bundles.md §4.1): every key of the user is there, absent ones with the zero of their type;
 * lists are always there; other generated keys only when set; unknown keys are dropped; sorted by key.
 */
export function completeMetadata(type: BundleType, stored: Metadata): Record<string, MetadataValue> {
  const entries: [string, MetadataValue][] = [];
  for (const { key, type: valueType, generated, clientDefault } of metadataKeys(type)) {
    const value = Object.hasOwn(stored, key) ? stored[key] : undefined;
    if (value !== undefined && value !== null) entries.push([key, value]);
    else if (clientDefault === null) continue;
    else if (!generated || valueType === 'list') entries.push([key, zeroOf(valueType)]);
  }
  return Object.fromEntries(entries.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

/** What `cl` sends for every key of the user that was not given, in display order; without `name` (bundles.md §4.3). */
export function clientDefaults(type: BundleType): Record<string, Exclude<MetadataValue, null>> {
  const defaults: Record<string, Exclude<MetadataValue, null>> = {};
  for (const { key, clientDefault } of metadataKeys(type)) {
    if (clientDefault === undefined || clientDefault === null) continue;
    defaults[key] = Array.isArray(clientDefault) ? [...clientDefault] : clientDefault;
  }
  return defaults;
}

/** The sentence a run gets when it is staged and nothing is known about workers yet. */
export const waitingForWorker = 'Waiting for a worker to take the run.';

const keptOnRestage = ['created', 'actions', 'remote_history'];

/**
 * The generated keys a run loses when it goes back to `staged` (execution.md §10.5). `remote_history` stays, so that the
 * user can see that the run had been somewhere.
 */
export const keysClearedOnRestage: readonly string[] = metadataKeys('run')
  .filter(({ key, generated }) => generated && !keptOnRestage.includes(key))
  .map(({ key }) => key);

/** The metadata of a run that goes back to `staged`. */
export function metadataAfterRestage(
  metadata: Metadata,
  status = waitingForWorker,
): Record<string, MetadataValue> {
  const kept = Object.entries(metadata).filter(([key]) => !keysClearedOnRestage.includes(key));
  return { ...Object.fromEntries(kept), staged_status: status };
}

/** Metadata of an anonymous bundle for a viewer who must not learn whose it is (bundles.md §4.1, §10.3). */
export function withoutIdentifyingKeys(type: BundleType, metadata: Metadata): Record<string, MetadataValue> {
  const identifying = new Set(
    metadataKeys(type)
      .filter((specification) => specification.identifying)
      .map(({ key }) => key),
  );
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => !identifying.has(key)));
}

/**
 * The texts a metadata value is searched by: one a list element, booleans as `True` and `False`, null as none
 * (bundles.md §4.1, §18).
 */
export function metadataTexts(value: MetadataValue): string[] {
  if (value === null) return [];
  if (Array.isArray(value)) return value;
  if (typeof value === 'boolean') return [value ? 'True' : 'False'];
  return [String(value)];
}
