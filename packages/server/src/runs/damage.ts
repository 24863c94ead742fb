/* Rows that cannot be read cost only themselves, never the others (execution.md §31.4). */
import type { BundleState, BundleType, Metadata } from '@sheaf/domain';
import { transition, type BundleRow } from '../bundles/transition.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { history } from './history.ts';
import { epochSeconds, metadataOf } from './metadata.ts';

/** What a bundle fails with whose own row is broken. */
export const damagedRecord =
  'The record of this bundle is damaged, so what it asks for is not known any more: create it again.';

/** Undefined where the column holds something else than metadata. */
export function readableMetadata(row: Pick<BundleRow, 'metadata'>): Metadata | undefined {
  try {
    return metadataOf(row);
  } catch (error) {
    // SyntaxError or ZodError: both mean the same here.
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** Whether nobody knows what the bundle asks for, be it that somebody has `repaired` it since. */
export function isDamaged(row: Pick<BundleRow, 'metadata'>): boolean {
  const metadata = readableMetadata(row);
  return metadata === undefined || metadata['failure_message'] === damagedRecord;
}

/**
 * The row of a bundle that somebody works on, in a form that can be read. What is damaged is replaced by what the columns say and by
 * the reason: an attempt under way comes to its end all the same, and what holds it is set free.
 */
export async function repaired(unit: UnitOfWork, row: BundleRow): Promise<BundleRow> {
  if (readableMetadata(row) !== undefined) return row;
  const known = { name: row.name, created: epochSeconds(row.created_at), data_size: row.data_size };
  const fixed = await unit.queries
    .updateTable('bundle')
    .set({ metadata: unit.dialect.json_({ ...known, failure_message: damagedRecord }) })
    .where('uuid', '=', row.uuid)
    .returningAll()
    .executeTakeFirst();
  return fixed ?? row;
}

/**
 * Fails a waiting bundle whose metadata cannot be read, or could not be: what it asks for is lost. Answers whether it was still
 * waiting.
 */
export async function failDamaged(
  unit: UnitOfWork,
  row: BundleRow,
  expected: readonly BundleState[],
  now: number,
): Promise<boolean> {
  await repaired(unit, row);
  const failed = await transition(unit, {
    uuid: row.uuid,
    type: row.bundle_type as BundleType,
    expected,
    next: 'failed',
    changes: { metadata: { failure_message: damagedRecord } },
    now,
    event: history('failed', damagedRecord),
  });
  return failed !== undefined;
}
