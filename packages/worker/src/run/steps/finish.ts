/** Reports the end until the server has taken note of it, then leaves nothing of the run behind (execution.md §17.4). */
import { isOwn, removeRunDirectory } from '../run-directory.ts';
import { sharedDirectoryOf } from '../shared-directory.ts';
import { ownershipOf, type Attempt } from '../tools.ts';
import { destroyMeanwhile } from './destroy.ts';

/** Returns when the server knows. @param gone called as soon as the run need not be reported any more. */
export async function finish(attempt: Attempt, gone: () => void): Promise<void> {
  const { run, tools } = attempt;
  void destroyMeanwhile(attempt);
  tools.resources.leave(run.uuid);
  await orShutdown(run.finalized, tools.shutdown);
  gone();
  await clearAway(attempt);
}

/** Removes what the run has left on this machine. */
export async function clearAway(attempt: Attempt, options: { keepDirectory?: boolean } = {}): Promise<void> {
  const { run, tools } = attempt;
  await destroyMeanwhile(attempt);
  tools.resources.leave(run.uuid);
  tools.images.release(run.uuid);
  tools.cache.release(run.uuid);
  // A directory that the server has made is the server's to remove.
  if (options.keepDirectory === true || sharedDirectoryOf(run.record.message) !== undefined) return;
  const ownership = ownershipOf(run.record, tools);
  if (run.record.unsent && (await isOwn(run.directory, ownership))) {
    await tools.unsent.keep(run.uuid, run.directory);
  }
  await removeRunDirectory(run.directory, ownership);
}

async function orShutdown(promise: Promise<void>, shutdown: AbortSignal): Promise<void> {
  shutdown.throwIfAborted();
  let stop: () => void = () => undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(shutdown.reason as Error);
    shutdown.addEventListener('abort', stop, { once: true });
  });
  try {
    await Promise.race([promise, stopped]);
  } finally {
    shutdown.removeEventListener('abort', stop);
  }
}
