/* Reading the JSON column that holds a bundle's metadata. */
import type { Metadata } from '@sheaf/domain';
import { z } from 'zod';

const stored = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.array(z.string()), z.null()]),
);

/** @throws ZodError on a column that holds something else */
export function metadataOf(bundle: { metadata: string }): Metadata {
  return stored.parse(JSON.parse(bundle.metadata));
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
