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

/** Undefined where the text is no JSON; for columns whose loss can be got over. */
export function readableJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * Fails a waiting bundle whose metadata cannot be read. They are replaced by what its columns say: nothing can be merged into
 * something broken. Answers whether it was still waiting.
 */
export async function failDamaged(
  unit: UnitOfWork,
  row: BundleRow,
  expected: readonly BundleState[],
  now: number,
): Promise<boolean> {
  await unit.queries
    .updateTable('bundle')
    .set({ metadata: unit.dialect.json_({ name: row.name, created: epochSeconds(row.created_at) }) })
    .where('uuid', '=', row.uuid)
    .where('state', 'in', [...expected])
    .execute();
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
