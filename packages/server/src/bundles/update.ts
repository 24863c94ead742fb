/* Changing bundle records: metadata, freezing, anonymity, owner (rest-api.md §14). All of a request or nothing. */
import {
  completeMetadata,
  isFinal,
  metadataKey,
  metadataValueFromText,
  validateMetadata,
  type BundleType,
  type Metadata,
  type MetadataValue,
} from '@sheaf/domain';
import { SheafError, type bundlePatchRequest } from '@sheaf/wire';
import type { z } from 'zod';
import { recomputeDiskUsed } from '../accounts/quota.ts';
import { findUser } from '../accounts/users.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { parseIsoInstant } from '../http/instant.ts';
import type { UserViewer } from '../http/viewer.ts';
import type { Services } from '../services.ts';
import { bundleNotFound, requireBundles } from './access.ts';
import { lockBundles } from './locks.ts';
import { bundleState, bundleType, storedMetadata } from './row.ts';
import { updateBundle, type BundleChanges, type BundleRow } from './transition.ts';

export type BundlePatch = z.output<typeof bundlePatchRequest>['data'][number];

/**
 * Applies the patches in order and answers the rows in request order.
 * @throws SheafError `not-found`, `permission-denied`, `frozen`, `invalid-request`
 */
export async function updateBundles(
  services: Services,
  viewer: UserViewer,
  patches: readonly BundlePatch[],
): Promise<BundleRow[]> {
  return await services.unitOfWork(async (unit) => {
    const uuids = patches.map((patch) => patch.id);
    await lockBundles(unit, uuids);
    const rows = new Map(
      (await requireBundles(unit.queries, viewer, uuids, 'all')).map((row) => [row.uuid, row]),
    );
    const owners = new Set<string>();
    for (const patch of patches) {
      const before = rows.get(patch.id);
      if (before === undefined) throw bundleNotFound(patch.id);
      const changes = await changesOf(unit, viewer, before, patch);
      if (changes.ownerId !== undefined && changes.ownerId !== before.owner_id) {
        owners.add(changes.ownerId);
        if (before.owner_id !== null) owners.add(before.owner_id);
      }
      const after = await updateBundle(unit, patch.id, changes, services.clock.now());
      if (after === undefined) throw bundleNotFound(patch.id);
      rows.set(patch.id, after);
    }
    for (const owner of [...owners].toSorted()) await recomputeDiskUsed(unit, owner);
    return uuids.map((uuid) => rows.get(uuid)).filter((row) => row !== undefined);
  });
}

async function changesOf(
  unit: UnitOfWork,
  viewer: UserViewer,
  row: BundleRow,
  patch: BundlePatch,
): Promise<BundleChanges> {
  const { metadata, is_anonymous: isAnonymous } = patch.attributes;
  const frozenAt = frozenChange(row, patch.attributes.frozen);
  const ownerId = patch.relationships?.owner?.data?.id;
  if (ownerId !== undefined && (await findUser(unit.queries, ownerId)) === undefined) {
    throw new SheafError('not-found', `User ${ownerId} not found`);
  }
  return {
    ...(metadata === undefined ? {} : { metadata: metadataChange(row, metadata, viewer.isRoot) }),
    ...(frozenAt === undefined ? {} : { frozenAt }),
    ...(isAnonymous === undefined ? {} : { isAnonymous }),
    ...(ownerId === undefined ? {} : { ownerId }),
  };
}

/** Without `frozen` in the request a frozen bundle does not change (bundles.md §10.4). */
function frozenChange(row: BundleRow, frozen: string | null | undefined): number | null | undefined {
  const isFrozen = row.frozen_at !== null;
  if (isFrozen && frozen !== null) {
    throw new SheafError('frozen', `Cannot mutate frozen bundle ${row.uuid} (${row.name}).`);
  }
  if (frozen === undefined) return undefined;
  if (!isFinal(bundleState(row))) {
    const message = `Cannot freeze bundle ${row.uuid} (${row.name}): it is ${row.state}, and only finished bundles can be frozen.`;
    throw new SheafError('permission-denied', message, { next: 'Wait for it with `cl wait`.' });
  }
  if (frozen === null) return null;
  const instant = parseIsoInstant(frozen);
  if (instant === undefined) {
    throw new SheafError('invalid-request', `frozen: ${frozen} is no ISO 8601 date-time.`);
  }
  return instant;
}

/** @throws SheafError `invalid-request` where the whole would not be valid, or the system's own keys would change */
function metadataChange(
  row: BundleRow,
  sent: Record<string, MetadataValue>,
  isRoot: boolean,
): Record<string, MetadataValue> {
  const type = bundleType(row);
  const before = completeMetadata(type, storedMetadata(row));
  const changes = Object.fromEntries(
    Object.entries(sent).map(([key, value]) => [key, convertText(type, key, value)]),
  );
  const refused = isRoot ? undefined : changedGeneratedKey(type, before, changes);
  if (refused !== undefined) {
    throw new SheafError('invalid-request', `Metadata key ${refused} is written by the system only.`);
  }
  const problem = validateMetadata(type, { ...before, ...changes });
  if (problem !== undefined) throw new SheafError('invalid-request', problem);
  return changes;
}

/** `cl edit -f` sends text whatever the key's type is (rest-api.md §14). */
function convertText(type: BundleType, key: string, value: MetadataValue): MetadataValue {
  const specification = metadataKey(type, key);
  if (typeof value !== 'string' || specification === undefined || specification.type === 'list') return value;
  const converted = metadataValueFromText(specification, value);
  if (!converted.ok) throw new SheafError('invalid-request', converted.problem);
  return converted.value;
}

function changedGeneratedKey(type: BundleType, before: Metadata, changes: Metadata): string | undefined {
  return Object.keys(changes).find((key) => {
    const isSame = JSON.stringify(before[key]) === JSON.stringify(changes[key]);
    return metadataKey(type, key)?.generated === true && !isSame;
  });
}
