/* Reading the JSON column that holds a bundle's metadata. */
import type { Metadata } from '@sheaf/domain';
import { z } from 'zod';

const stored = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.array(z.string()), z.null()]),
);

/** What rows were found to hold: a report looks at the same row several times. */
const read = new WeakMap<object, { readonly text: string; readonly metadata: Metadata }>();

/**
 * Not to be changed: the next who asks about the same row gets the same object.
 * @throws ZodError on a column that holds something else
 */
export function metadataOf(bundle: { readonly metadata: string }): Metadata {
  const known = read.get(bundle);
  if (known?.text === bundle.metadata) return known.metadata;
  const value: unknown = JSON.parse(bundle.metadata);
  // By hand, as it is asked of every row; the schema says what is wrong with the others.
  const metadata = isMetadata(value) ? value : stored.parse(value);
  read.set(bundle, { text: bundle.metadata, metadata });
  return metadata;
}

function isMetadata(value: unknown): value is z.output<typeof stored> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((one: unknown) => {
    if (Array.isArray(one)) return one.every((element) => typeof element === 'string');
    return one === null || typeof one === 'string' || typeof one === 'boolean' || Number.isFinite(one);
  });
}

/** Seconds since the epoch, as metadata have them. */
export function epochSeconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}

export function numberOf(value: Metadata[string] | undefined): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

export function textOf(value: Metadata[string] | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
