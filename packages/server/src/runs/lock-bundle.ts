import { sql } from 'kysely';
import type { BundleRow } from '../bundles/transition.ts';
import { givenTexts } from '../database/given-rows.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { AssignmentRow } from './assignments.ts';

/** The row as it is now, which nobody else changes before this unit of work ends. Undefined: there is no such bundle. */
export async function lockBundle(unit: UnitOfWork, uuid: string): Promise<BundleRow | undefined> {
  return await unit.queries
    .selectFrom('bundle')
    .selectAll()
    .where('uuid', '=', uuid)
    .modifyEnd(unit.dialect.rowLock)
    .executeTakeFirst();
}

/** Those of many bundles that exist, by uuid, locked in the order that everybody keeps to. */
export async function lockBundles(
  unit: UnitOfWork,
  uuids: Iterable<string>,
): Promise<Map<string, BundleRow>> {
  const { rows } = await sql<BundleRow>`select bundle.* from ${givenTexts(unit.dialect, uuids)} as wanted
    join bundle on bundle.uuid = wanted.given order by bundle.id ${unit.dialect.rowLock}`.execute(
    unit.queries,
  );
  return new Map(rows.map((row) => [row.uuid, row]));
}

/** The runs of these assignments, locked; without those that went on to another attempt since the assignments were read. */
export async function lockHeld(
  unit: UnitOfWork,
  assignments: readonly Pick<AssignmentRow, 'run_uuid' | 'epoch'>[],
): Promise<BundleRow[]> {
  const epochs = new Map(assignments.map(({ run_uuid: uuid, epoch }) => [uuid, epoch]));
  const runs = await lockBundles(unit, epochs.keys());
  return [...runs.values()].filter(({ uuid, epoch }) => epochs.get(uuid) === epoch);
}
