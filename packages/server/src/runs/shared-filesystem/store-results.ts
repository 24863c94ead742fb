/*
 * The end of a run on the shared filesystem: what its command has left is stored, and with it, in one transaction, the run becomes
 * final (execution.md §24, §31.6).
 */
import { assertNever, failureWithKill } from '@sheaf/domain';
import { FileChangedError, importDirectory, sizeOf, type TreeEntry } from '@sheaf/trees';
import { SheafError } from '@sheaf/wire';
import { recomputeDiskUsed } from '../../accounts/quota.ts';
import { updateBundle, type BundleRow } from '../../bundles/transition.ts';
import { requireRoom } from '../../contents/commit.ts';
import { rootEntryColumns } from '../../contents/stored.ts';
import { uploadFailure } from '../../contents/upload-failure.ts';
import type { UnitOfWork } from '../../database/unit-of-work.ts';
import { errorCode } from '../../files/error-code.ts';
import type { Services } from '../../services.ts';
import { queueMessage } from '../../workers/message-queue.ts';
import { findAssignment, workerOf } from '../assignments.ts';
import { finalizeRun } from '../finalize.ts';
import { lockBundle } from '../lock-bundle.ts';
import { metadataOf, textOf } from '../metadata.ts';
import type { Attempt, SharedDirectories } from './directories.ts';
import { dropSharedRun, findSharedRun, messageOf, type SharedRunRow } from './records.ts';

interface Tools {
  readonly services: Services;
  readonly directories: SharedDirectories;
  /** Fires when the server stops. */
  readonly signal: AbortSignal;
}

type Results =
  /** `problem`: something of them cannot be stored. */
  | { readonly kind: 'stored'; readonly entry: TreeEntry; readonly problem: string | undefined }
  /** No results came about; a surprise only where the command is said to have succeeded. */
  | { readonly kind: 'nothing'; readonly problem: string }
  | { readonly kind: 'refused'; readonly problem: string };

/** The worker may fetch the good news for this long; later it hears it whenever it reports the run. */
const tellFor = 60_000;
/** Names of what cannot be stored that the user is told. */
const mostNamed = 5;

/**
 * Does nothing for a run that is not `finalizing`, or is stored already.
 * @param lastTry what cannot be stored now fails the run
 * @throws what may pass: no room on the disk, a directory that cannot be read now
 */
export async function storeSharedResults(
  tools: Tools,
  uuid: string,
  { lastTry }: { lastTry: boolean },
): Promise<void> {
  const { services, directories } = tools;
  const row = await findSharedRun(services.database.queries, uuid);
  if (row === undefined || row.prepared_at === null) return;
  const attempt = { uuid, epoch: row.epoch };
  if (!(await isEnding(services, attempt))) return;
  const results = await takeIn(tools, row, lastTry);
  await services.unitOfWork((unit) => settle(unit, attempt, results, services.clock.now()));
  await directories.removeEnded(attempt);
}

async function isEnding({ database }: Services, { uuid, epoch }: Attempt): Promise<boolean> {
  const row = await database.queries
    .selectFrom('bundle')
    .select('uuid')
    .where('uuid', '=', uuid)
    .where('epoch', '=', epoch)
    .where('state', '=', 'finalizing')
    .executeTakeFirst();
  return row !== undefined;
}

async function takeIn(
  { services, directories, signal }: Tools,
  row: SharedRunRow,
  lastTry: boolean,
): Promise<Results> {
  const { store, log } = services;
  try {
    const path = await directories.takeEnded({ uuid: row.run_uuid, epoch: row.epoch });
    if (path === undefined) {
      return { kind: 'nothing', problem: "The run's directory has gone from the shared directory." };
    }
    const refused: string[] = [];
    const entry = await importDirectory(store, path, {
      takeOver: true,
      signal,
      onRefused: (name, reason) => {
        if (refused.length < mostNamed) refused.push(`${name}: ${reason}`);
      },
      onLeftOut: (left, reason) =>
        log.info({ run: row.run_uuid, path: left, reason }, 'left out of the results'),
    });
    await store.durable();
    const untouched = entry.files === 0 && messageOf(row).bundle.metadata.exclude_patterns.length === 0;
    // Every command leaves at least the files of its output.
    return untouched
      ? { kind: 'nothing', problem: 'The worker has left nothing in the shared directory.' }
      : {
          kind: 'stored',
          entry,
          problem: refused.length === 0 ? undefined : `Upload failed: ${refused.join('; ')}`,
        };
  } catch (error) {
    signal.throwIfAborted();
    const failure = uploadFailure(error);
    // Somebody still writes there, or it is read too early over a network.
    const passes = error instanceof FileChangedError || !failure.usersFault;
    if (passes && !lastTry && errorCode(error) !== 'EACCES') throw error;
    return { kind: 'refused', problem: failure.message };
  }
}

async function settle(unit: UnitOfWork, attempt: Attempt, results: Results, now: number): Promise<void> {
  const locked = await lockBundle(unit, attempt.uuid);
  if (locked?.state !== 'finalizing' || locked.epoch !== attempt.epoch) return;
  const ending = await withResults(unit, locked, results, now);
  const assignment = await findAssignment(unit.queries, attempt.uuid);
  if ((await finalizeRun(unit, ending, now)) === undefined) return;
  await dropSharedRun(unit, attempt);
  if (assignment === undefined) return;
  await queueMessage(unit, now, {
    ...workerOf(assignment),
    runUuid: attempt.uuid,
    epoch: attempt.epoch,
    message: { type: 'mark_finalized', uuid: attempt.uuid },
    expiresAt: now + tellFor,
  });
}

async function withResults(
  unit: UnitOfWork,
  run: BundleRow,
  results: Results,
  now: number,
): Promise<BundleRow> {
  // A worker that was started anew without the shared filesystem has uploaded them.
  if (run.root_entry !== null) return run;
  const failed = textOf(metadataOf(run)['failure_message']);
  switch (results.kind) {
    case 'nothing':
      return failed === undefined ? await withProblem(unit, run, results.problem, now) : run;
    case 'refused':
      return await withProblem(unit, run, results.problem, now);
    case 'stored': {
      const kept = await keep(unit, run, results.entry, now);
      return results.problem === undefined ? kept : await withProblem(unit, kept, results.problem, now);
    }
    default:
      return assertNever(results);
  }
}

async function keep(unit: UnitOfWork, run: BundleRow, entry: TreeEntry, now: number): Promise<BundleRow> {
  const size = sizeOf(entry);
  try {
    await requireRoom(unit, run, size);
  } catch (error) {
    if (!(error instanceof SheafError) || error.code !== 'quota-exceeded') throw error;
    return await withProblem(unit, run, uploadFailure(error).message, now);
  }
  const changes = { metadata: { data_size: size }, rootEntry: rootEntryColumns(entry) };
  const kept = (await updateBundle(unit, run.uuid, changes, now)) ?? run;
  if (run.owner_id !== null) await recomputeDiskUsed(unit, run.owner_id);
  return kept;
}

async function withProblem(
  unit: UnitOfWork,
  run: BundleRow,
  problem: string,
  now: number,
): Promise<BundleRow> {
  const message = failureWithKill(textOf(metadataOf(run)['failure_message']), problem) ?? problem;
  return (await updateBundle(unit, run.uuid, { metadata: { failure_message: message } }, now)) ?? run;
}
