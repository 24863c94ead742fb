/* What remains of an upload that did not work: nothing but its reason (rest-api.md §20.5). */
import { isFinal, type BundleType } from '@sheaf/domain';
import { StorageFullError } from '@sheaf/trees';
import { SheafError } from '@sheaf/wire';
import { recomputeDiskUsed } from '../accounts/quota.ts';
import { bundleState } from '../bundles/row.ts';
import { transition, updateBundle } from '../bundles/transition.ts';
import { isOutOfRoom } from '../database/no-room.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { history, sentence } from '../runs/history.ts';
import { lockBundle } from '../runs/lock-bundle.ts';
import { isUsersFault } from './refusals.ts';
import { areResults } from './upload-rules.ts';

export interface UploadFailure {
  readonly message: string;
  readonly trace: string;
  /** A damaged archive, no room left: trying again does not help. */
  readonly usersFault: boolean;
}

export function uploadFailure(error: unknown): UploadFailure {
  const refused = error instanceof SheafError && error.status === 400;
  const archive = !refused && isUsersFault(error);
  const reason = error instanceof Error ? error.message : String(error);
  return {
    message: `Upload failed: ${archive ? 'Invalid archive upload: ' : ''}${reason}`,
    trace: error instanceof Error ? (error.stack ?? reason) : reason,
    usersFault: refused || archive,
  };
}

/** What the client is told: 400 where it is to blame, else 500, which workers try again. */
export function failureAnswer(failure: UploadFailure, cause: unknown): SheafError {
  if (cause instanceof StorageFullError || isOutOfRoom(cause)) {
    return new SheafError('storage-full', 'Upload failed: the server has no disk space left.', { cause });
  }
  const code = cause instanceof SheafError && cause.status === 400 ? cause.code : 'invalid-archive';
  return new SheafError(failure.usersFault ? code : 'internal', failure.message, { cause });
}

/**
 * Takes back what the upload has changed. A run that a worker still holds keeps its state: its worker hears of the failure and
 * says how the run has ended.
 */
export async function recordUploadFailure(
  unit: UnitOfWork,
  uuid: string,
  failure: UploadFailure,
  options: { finalizeOnFailure: boolean },
  now: number,
): Promise<void> {
  const bundle = await lockBundle(unit, uuid);
  if (bundle === undefined || isFinal(bundleState(bundle))) return;
  const changes = { metadata: { data_size: 0 }, rootEntry: null };
  const told = { failure_message: failure.message, error_traceback: failure.trace };
  if (areResults(bundle)) {
    const kept = failure.usersFault
      ? {
          metadata: { ...changes.metadata, failure_message: failure.message },
          uploadFailure: failure.message,
        }
      : {};
    await updateBundle(unit, uuid, { ...changes, ...kept }, now);
  } else if (failure.usersFault || options.finalizeOnFailure) {
    await transition(unit, {
      uuid,
      type: bundle.bundle_type as BundleType,
      expected: ['uploading'],
      next: 'failed',
      changes: { ...changes, metadata: { ...changes.metadata, ...told } },
      now,
      event: history('failed', sentence(failure.message)),
    });
  } else {
    await updateBundle(unit, uuid, { ...changes, metadata: { ...changes.metadata, ...told } }, now);
  }
  if (bundle.owner_id !== null) await recomputeDiskUsed(unit, bundle.owner_id);
}
