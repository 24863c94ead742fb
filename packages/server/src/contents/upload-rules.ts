/* Who may put contents into a bundle, and when (rest-api.md §20.2, execution.md §6.5, §31.1). */
import { isFinal, type BundleState } from '@sheaf/domain';
import { epochHeader, SheafError } from '@sheaf/wire';
import type { IncomingHttpHeaders } from 'node:http';
import type { AnyQueries } from '../accounts/users.ts';
import { bundleState } from '../bundles/row.ts';
import { requireBundle } from '../bundles/access.ts';
import type { BundleRow } from '../bundles/transition.ts';
import type { UserViewer } from '../http/viewer.ts';
import { findAssignment, lastHolder } from '../runs/assignments.ts';

export interface Uploader {
  readonly viewer: UserViewer;
  /** The attempt whose results these are; undefined for uploads by people and by original workers. */
  readonly epoch: number | undefined;
}

/** @throws SheafError `invalid-request` on a header that holds no number */
export function epochFrom(headers: IncomingHttpHeaders): number | undefined {
  const text = headers[epochHeader] ?? headers['x-codalab-assignment'];
  if (text === undefined) return undefined;
  const epoch = Number(text);
  if (!Number.isSafeInteger(epoch))
    throw new SheafError('invalid-request', `${epochHeader} must be a number.`);
  return epoch;
}

/** Whether these contents are the results of a run that was given to a worker, and not an upload of their own. */
export function areResults(bundle: Pick<BundleRow, 'bundle_type' | 'state'>): boolean {
  return bundle.bundle_type === 'run' && bundle.state !== 'uploading';
}

/**
 * @throws SheafError `not-found`, `permission-denied`, `already-final`, `stale-assignment`
 */
export async function requireUploadable(
  queries: AnyQueries,
  uploader: Uploader,
  uuid: string,
): Promise<BundleRow> {
  const bundle = await requireBundle(queries, uploader.viewer, uuid, 'all');
  const state: BundleState = bundleState(bundle);
  if (isFinal(state)) {
    throw new SheafError('already-final', 'Contents cannot be modified, bundle already finalized.');
  }
  if (areResults(bundle)) await requireHolder(queries, uploader, bundle);
  else if (bundle.bundle_type === 'make' && state !== 'uploading') {
    throw new SheafError('permission-denied', `The server itself makes bundle ${uuid}.`);
  }
  return bundle;
}

/** Results come from the attempt that has the run; while nobody has it, from the one that had it last. */
async function requireHolder(
  queries: AnyQueries,
  { viewer, epoch }: Uploader,
  run: BundleRow,
): Promise<void> {
  const assignment = await findAssignment(queries, run.uuid);
  const holder =
    assignment === undefined
      ? run.state === 'worker_offline'
        ? await lastHolder(queries, run.uuid)
        : null
      : { worker: `${assignment.user_id}\n`, epoch: assignment.epoch };
  if (epoch !== undefined && epoch !== (holder?.epoch ?? -1)) {
    throw new SheafError('stale-assignment', `Attempt ${epoch} of run ${run.uuid} is not the current one.`);
  }
  if (holder === null || !holder.worker.startsWith(`${viewer.id}\n`)) {
    throw new SheafError('permission-denied', `None of your workers has run ${run.uuid}.`, {
      next: 'Drop the run; another worker will do it.',
    });
  }
}
