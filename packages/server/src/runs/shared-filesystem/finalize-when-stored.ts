import type { BundleRow } from '../../bundles/transition.ts';
import type { UnitOfWork } from '../../database/unit-of-work.ts';
import { finalizeRuns } from '../finalize.ts';
import { endingInSharedDirectories } from './records.ts';

/**
 * Makes a `finalizing` run final, unless its results still lie in a shared directory: then they are stored first, and the run is
 * final with them (execution.md §24).
 * @returns whether it is final now
 */
export async function finalizeWhenStored(unit: UnitOfWork, run: BundleRow, now: number): Promise<boolean> {
  return (await finalizeAllWhenStored(unit, [run], now)).has(run.uuid);
}

/** The same for many. @returns the uuids of those that are final now */
export async function finalizeAllWhenStored(
  unit: UnitOfWork,
  runs: readonly BundleRow[],
  now: number,
): Promise<ReadonlySet<string>> {
  const unstored = await endingInSharedDirectories(unit, runs);
  for (const runUuid of unstored) unit.announce({ type: 'shared-run.changed', runUuid });
  const final = await finalizeRuns(
    unit,
    runs.filter(({ uuid }) => !unstored.has(uuid)),
    now,
  );
  return new Set(final.keys());
}
