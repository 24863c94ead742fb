import type { BundleRow } from '../../bundles/transition.ts';
import type { UnitOfWork } from '../../database/unit-of-work.ts';
import { finalizeRun } from '../finalize.ts';
import { endsInSharedDirectory } from './records.ts';

/**
 * Makes a `finalizing` run final, unless its results still lie in a shared directory: then they are stored first, and the run is
 * final with them (execution.md §24).
 * @returns whether it is final now
 */
export async function finalizeWhenStored(unit: UnitOfWork, run: BundleRow, now: number): Promise<boolean> {
  if (await endsInSharedDirectory(unit.queries, run)) {
    unit.announce({ type: 'shared-run.changed', runUuid: run.uuid });
    return false;
  }
  return (await finalizeRun(unit, run, now)) !== undefined;
}
