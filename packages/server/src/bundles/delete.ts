/* Deleting bundles (rest-api.md §15, bundles.md §17). All refusals come before anything is changed. */
import { isActive } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import { recomputeDiskUsed } from '../accounts/quota.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { UserViewer } from '../http/viewer.ts';
import type { Services } from '../services.ts';
import { findWorksheets, type WorksheetRow } from '../worksheets/access.ts';
import { touchWorksheet } from '../worksheets/items.ts';
import { existingBundles, findBundles, requireBundles } from './access.ts';
import { descendantsOf } from './descendants.ts';
import { hostsOf } from './include.ts';
import { lockBundles } from './locks.ts';
import { bundleState } from './row.ts';
import { updateBundle, type BundleRow } from './transition.ts';

export interface DeleteOptions {
  /** Although others depend on them, or they are on several worksheets. */
  force: boolean;
  /** With all that depends on them. */
  recursive: boolean;
  /** Only the contents. */
  dataOnly: boolean;
  /** Only say what would go. */
  dryRun: boolean;
}

/**
 * Deletes bundles and gives their owners the room back at once; answers what went, or would go: the given ones, then their
 * descendants breadth first. Blobs nobody refers to any more go with the next sweep.
 * @throws SheafError `not-found`, `has-dependents`, `permission-denied`, `action-refused`, `frozen`
 */
export async function deleteBundles(
  services: Services,
  viewer: UserViewer,
  uuids: readonly string[],
  options: DeleteOptions,
): Promise<string[]> {
  return await services.unitOfWork(async (unit) => {
    const given = [...new Set(uuids)];
    await existingBundles(unit.queries, given);
    const descendants = await descendantsOf(unit.queries, given);
    if (!options.recursive && !options.force) await refuseDependents(unit, descendants);
    const doomed = options.recursive ? [...given, ...descendants] : given;
    await lockBundles(unit, doomed);
    const rows = await requireBundles(unit.queries, viewer, doomed, 'all');
    refuseActive(rows);
    refuseFrozen(rows);
    const hosts = await hostsOf(unit.queries, doomed);
    await refuseHosts(unit, rows, hosts, options.force);
    if (options.dryRun) return doomed;
    if (options.dataOnly) await dropContents(unit, rows, services.clock.now());
    else
      await dropRecords(
        unit,
        doomed,
        new Set(hosts.map((host) => host.worksheet_uuid)),
        services.clock.now(),
      );
    const owners = new Set(rows.map((row) => row.owner_id).filter((owner) => owner !== null));
    for (const owner of [...owners].toSorted()) await recomputeDiskUsed(unit, owner);
    return doomed;
  });
}

async function refuseDependents(unit: UnitOfWork, descendants: readonly string[]): Promise<void> {
  if (descendants.length === 0) return;
  const rows = await findBundles(unit.queries, descendants);
  throw new SheafError('has-dependents', `Other bundles depend on them: ${rows.map(nameAndUuid).join(', ')}`);
}

function refuseActive(rows: readonly BundleRow[]): void {
  const active = rows.filter((row) => isActive(bundleState(row)));
  if (active.length === 0) return;
  throw new SheafError('action-refused', `Cannot delete bundles that are being worked on: ${list(active)}`, {
    next: 'Kill them first with `cl kill`.',
  });
}

function refuseFrozen(rows: readonly BundleRow[]): void {
  const frozen = rows.filter((row) => row.frozen_at !== null);
  if (frozen.length > 0) throw new SheafError('frozen', `Cannot delete frozen bundles: ${list(frozen)}`);
}

async function refuseHosts(
  unit: UnitOfWork,
  rows: readonly BundleRow[],
  hosts: readonly { bundle_uuid: string | null; worksheet_uuid: string }[],
  force: boolean,
): Promise<void> {
  const frozen = (
    await findWorksheets(
      unit.queries,
      hosts.map((host) => host.worksheet_uuid),
    )
  ).filter((worksheet: WorksheetRow) => worksheet.frozen_at !== null);
  const [first] = frozen;
  if (first !== undefined) {
    const held = rows.filter((row) =>
      hosts.some((host) => host.bundle_uuid === row.uuid && host.worksheet_uuid === first.uuid),
    );
    throw new SheafError(
      'action-refused',
      `Cannot delete bundles on the frozen worksheet ${first.uuid} (${first.name}): ${list(held)}`,
    );
  }
  if (force) return;
  const repeated = rows.filter((row) => hosts.filter((host) => host.bundle_uuid === row.uuid).length > 1);
  if (repeated.length === 0) return;
  throw new SheafError(
    'action-refused',
    `Cannot delete bundles that are on more than one worksheet: ${list(repeated)}`,
    {
      next: 'Detach them first with `cl detach`, or use --force.',
    },
  );
}

async function dropContents(unit: UnitOfWork, rows: readonly BundleRow[], now: number): Promise<void> {
  for (const { uuid } of rows) {
    await updateBundle(unit, uuid, { metadata: { data_size: 0 }, rootEntry: null }, now);
  }
}

/** Dependency rows of other bundles that point here stay (bundles.md §7.3). */
async function dropRecords(
  unit: UnitOfWork,
  uuids: readonly string[],
  worksheetUuids: ReadonlySet<string>,
  now: number,
): Promise<void> {
  for (const uuid of [...worksheetUuids].toSorted()) await touchWorksheet(unit, uuid, now);
  for (let start = 0; start < uuids.length; start += 1000) {
    const chunk = uuids.slice(start, start + 1000);
    await unit.queries.deleteFrom('worksheet_item').where('bundle_uuid', 'in', chunk).execute();
    // Metadata, permissions, locations, assignment and history go with it.
    await unit.queries.deleteFrom('bundle').where('uuid', 'in', chunk).execute();
  }
  for (const uuid of uuids) unit.announce({ type: 'bundle.deleted', uuid });
}

function list(rows: readonly BundleRow[]): string {
  return rows.map(nameAndUuid).join(', ');
}

function nameAndUuid(row: BundleRow): string {
  return `${row.name}(${row.uuid})`;
}
