/** Judges how the command ended, and takes stock of what it left (execution.md §17.4, §21.2, §22). */
import { excludeMatcher, failureWithUploadError } from '@sheaf/domain';
import { hashDirectory, type HashedTree } from '@sheaf/trees';
import { messageOf, systemCode } from '../../errors.ts';
import { diskSpace } from '../../fingerprint/disk.ts';
import { removeLinks } from '../../layout/links.ts';
import { openTree } from '../../open-tree.ts';
import { measureDirectory } from '../disk-usage.ts';
import { takeLastSample } from '../last-reading.ts';
import { endedFromOutside, exceededLimits, exitFailure, fullDiskFailure, hasFilledDisk } from '../outcome.ts';
import { RefusedEntries } from '../refused-entries.ts';
import { blame, type Step } from '../record.ts';
import { runtimeNamed } from '../runtimes.ts';
import { sharedDirectoryOf, tidySharedDirectory } from '../shared-directory.ts';
import type { Attempt } from '../tools.ts';
import { causeOf } from '../causes.ts';
import { destroyMeanwhile } from './destroy.ts';

export async function collect(attempt: Attempt): Promise<Step> {
  const { run, tools, signal } = attempt;
  const { record } = run;
  // Before anything of the run is removed, which makes room.
  run.metFullDisk ||= await tools.diskIsFull();
  void destroyMeanwhile(attempt);
  await removeLinks(run.directory, record.links, record.made);
  if (record.kill === null) await judge(attempt);
  if (sharedDirectoryOf(record.message) !== undefined) return await leaveInPlace(attempt);
  try {
    const { hashed, unstorable } = await hashResults(attempt);
    attempt.hashed = hashed;
    attempt.unstorable = unstorable;
    record.usage.disk = sizeOfResults(hashed);
  } catch (error) {
    signal.throwIfAborted();
    record.failure = failureWithUploadError(record.failure, messageOf(error));
    if (record.failureCause === null) blame(record, causeOf(error, 'results-refused'));
    record.unsent = true;
    takeLastSample(attempt);
    return 'finish';
  }
  takeLastSample(attempt);
  return 'upload';
}

/** The server takes the results from where they are (execution.md §24). */
async function leaveInPlace(attempt: Attempt): Promise<Step> {
  const { run, signal } = attempt;
  const { record } = run;
  try {
    const patterns = record.message.bundle.metadata.exclude_patterns;
    await tidySharedDirectory(run.directory, excludeMatcher(patterns));
    record.usage.disk = (await measureDirectory(run.directory, signal)).bytes;
  } catch (error) {
    signal.throwIfAborted();
    record.failure = failureWithUploadError(record.failure, messageOf(error));
    if (record.failureCause === null) blame(record, causeOf(error, 'results-refused'));
  }
  takeLastSample(attempt);
  return 'upload';
}

/** A limit that was passed in the last moments, or what the shell said; otherwise the exit code speaks for itself. */
async function judge({ run, tools }: Attempt): Promise<void> {
  const { record } = run;
  const { resources } = record.message;
  if (resources.disk > 0) record.usage.disk = await measureAll(run.directory);
  const runtime = runtimeNamed(tools.runtimes, record.runtime ?? '');
  const usage = {
    containerSeconds: run.secondsRun(tools.clock.now()),
    diskBytes: record.usage.disk,
    memoryBytes: runtime?.capabilities.memoryLimit === false ? record.usage.memoryMax : undefined,
  };
  const limits = exceededLimits(resources, usage, record.exit);
  // After a worker was started anew this is judged again, with the same result.
  record.failure = limits ?? exitFailure(record.exit) ?? record.failure;
  if (limits !== undefined) blame(record, 'limit');
  else if (endedFromOutside(record.exit)) blame(record, 'container-lost');
  if (record.failure === null && (await lackedRoom({ run, tools }))) {
    record.failure = fullDiskFailure(record.exit);
    record.usage.disk = await measureAll(run.directory);
    const bytes = { used: record.usage.disk, total: (await diskSpace(run.directory))?.total ?? 0 };
    blame(record, hasFilledDisk(resources, bytes) ? null : 'disk-full');
  }
}

/** By now room may have been made; a command that says it has succeeded has found some, too. */
async function lackedRoom({ run, tools }: Pick<Attempt, 'run' | 'tools'>): Promise<boolean> {
  return (run.metFullDisk && run.record.exit?.exitCode !== 0) || (await tools.diskIsFull());
}

/** Bytes, of what the command has closed to everybody too: that is no way around a limit. */
async function measureAll(directory: string): Promise<number> {
  const { bytes, closed } = await measureDirectory(directory);
  if (!closed) return bytes;
  await openTree(directory);
  return (await measureDirectory(directory)).bytes;
}

async function hashResults(
  attempt: Attempt,
): Promise<{ hashed: HashedTree; unstorable: string | undefined }> {
  const { run, tools, signal } = attempt;
  const { exclude_patterns: patterns } = run.record.message.bundle.metadata;
  const refused = new RefusedEntries();
  const options = {
    signal,
    onRefused: (path: string, reason: string) => refused.note(path, reason),
    ...(patterns.length === 0 ? {} : { exclude: excludeMatcher(patterns) }),
    onLeftOut: (path: string, reason: string) =>
      tools.log.info({ run: run.uuid, path, reason }, 'left out of the results'),
  };
  try {
    return { hashed: await hashDirectory(run.directory, options), unstorable: refused.words };
  } catch (error) {
    if (systemCode(error) !== 'EACCES') throw error;
    await openTree(run.directory);
    return { hashed: await hashDirectory(run.directory, options), unstorable: refused.words };
  }
}

function sizeOfResults({ root }: HashedTree): number {
  return root.kind === 'link' ? 0 : root.size;
}
