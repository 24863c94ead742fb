/* The moment contents become a bundle's: entry, size, quota and state in one transaction. */
import { storageProblem, type BundleType, type FinalState } from '@sheaf/domain';
import { sizeOf, type Entry } from '@sheaf/trees';
import { SheafError } from '@sheaf/wire';
import { readQuota, recomputeDiskUsed } from '../accounts/quota.ts';
import { transition, updateBundle, type BundleRow } from '../bundles/transition.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { lockBundle } from '../runs/lock-bundle.ts';
import { rootEntryColumns } from './stored.ts';
import { requireUploadable, type Uploader } from './upload-rules.ts';

export interface CommitRequest {
  readonly uploader: Uploader;
  readonly uuid: string;
  /** Undefined: only the state is set. */
  readonly entry: Entry | undefined;
  /** Undefined: the state stays what it is. */
  readonly finalState: FinalState | undefined;
}

/**
 * Call it when the contents are durable.
 * @throws SheafError `quota-exceeded`, and everything of `requireUploadable`, which may have changed during the upload
 */
export async function commitContents(
  unit: UnitOfWork,
  request: CommitRequest,
  now: number,
): Promise<BundleRow> {
  await lockBundle(unit, request.uuid);
  const bundle = await requireUploadable(unit.queries, request.uploader, request.uuid);
  const size = request.entry === undefined ? undefined : sizeOf(request.entry);
  if (size !== undefined) await requireRoom(unit, bundle, size);
  const changes = {
    ...(size === undefined || request.entry === undefined
      ? {}
      : { metadata: { data_size: size }, rootEntry: rootEntryColumns(request.entry) }),
    uploadFailure: null,
  };
  const committed =
    request.finalState === undefined
      ? await updateBundle(unit, bundle.uuid, changes, now)
      : await transition(unit, {
          uuid: bundle.uuid,
          type: bundle.bundle_type as BundleType,
          expected: ['uploading'],
          next: request.finalState,
          changes,
          now,
        });
  if (committed === undefined) {
    throw new SheafError(
      'action-refused',
      `Bundle ${bundle.uuid} is ${bundle.state}: only an upload ends with its contents.`,
    );
  }
  if (bundle.owner_id !== null) await recomputeDiskUsed(unit, bundle.owner_id);
  return committed;
}

/** What is there before an upload counts no more, so that it can be done again (rest-api.md §20.2, item 4). */
export async function dropContents(unit: UnitOfWork, bundle: BundleRow, now: number): Promise<void> {
  if (bundle.root_entry === null && bundle.data_size === 0) return;
  await updateBundle(unit, bundle.uuid, { metadata: { data_size: 0 }, rootEntry: null }, now);
  if (bundle.owner_id !== null) await recomputeDiskUsed(unit, bundle.owner_id);
}

/** Bytes the owner of a bundle may still store in it. */
export async function roomFor(unit: UnitOfWork, bundle: BundleRow): Promise<number> {
  if (bundle.owner_id === null) return Number.POSITIVE_INFINITY;
  const quota = await readQuota(unit.queries, bundle.owner_id);
  return quota === undefined ? Number.POSITIVE_INFINITY : quota.diskQuota - quota.diskUsed + bundle.data_size;
}

/** @throws SheafError `quota-exceeded` where contents of this size leave the owner no room */
export async function requireRoom(unit: UnitOfWork, bundle: BundleRow, size: number): Promise<void> {
  if (bundle.owner_id === null) return;
  // Locks the owner's account: of two uploads that end at once, the second sees the first.
  const used = await recomputeDiskUsed(unit, bundle.owner_id);
  const quota = await readQuota(unit.queries, bundle.owner_id);
  if (quota === undefined) return;
  const problem = storageProblem(size, {
    diskQuota: quota.diskQuota,
    diskUsedWithout: used - bundle.data_size,
  });
  if (problem !== undefined) throw new SheafError('quota-exceeded', problem);
}
