/** Sends the results to the server, for as long as it is away (execution.md §22.2). */
import { ConnectionError } from '@sheaf/client';
import { failureWithUploadError, formatSize } from '@sheaf/domain';
import {
  FileChangedError,
  sendContents,
  type HashedTree,
  type SendOptions,
  type SendPeer,
} from '@sheaf/trees';
import { SheafError } from '@sheaf/wire';
import { pauseAfter } from '../../back-off.ts';
import { isRefusal, isServerAway, messageOf } from '../../errors.ts';
import type { RunRecord, Step } from '../record.ts';
import { sharedDirectoryOf } from '../shared-directory.ts';
import type { Attempt } from '../tools.ts';

const backOff = { first: 1000, longest: 60_000 };
/** Milliseconds to put up with a server that answers, but is in trouble. One that does not answer could not be told of an end. */
const patience = 6 * 3_600_000;
/** Failures that are neither the server's absence nor its refusal. */
const otherFailures = 5;

export async function upload(attempt: Attempt): Promise<Step> {
  if (sharedDirectoryOf(attempt.run.record.message) !== undefined) return 'finish';
  return attempt.hashed === undefined ? 'collect' : await send(attempt, attempt.hashed);
}

async function send(attempt: Attempt, hashed: HashedTree): Promise<Step> {
  const { run, tools, signal } = attempt;
  const { record } = run;
  const peer = tools.results(run.uuid, record.epoch);
  let troubleSince: number | undefined;
  let others = 0;
  for (let failures = 1; ; failures += 1) {
    try {
      await deliver(hashed, peer, {
        signal,
        onProgress: ({ bytes }) => run.say(`Uploading results: ${formatSize(bytes)} uploaded.`),
      });
      if (attempt.unstorable !== undefined) {
        record.failure = failureWithUploadError(record.failure, attempt.unstorable);
        record.unsent = true;
      }
      return 'finish';
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof FileChangedError && others === 0) return 'collect';
      if (error instanceof ConnectionError) troubleSince = undefined;
      else if (isServerAway(error) || isInTheWay(error)) troubleSince ??= tools.clock.elapsed();
      else others += 1;
      const waited = troubleSince === undefined ? 0 : tools.clock.elapsed() - troubleSince;
      if (isFinal(error, record) || others >= otherFailures || waited > patience) {
        tools.log.warn({ run: run.uuid, error: messageOf(error) }, 'the results of a run cannot be stored');
        record.failure = failureWithUploadError(record.failure, messageOf(error));
        record.failureCause ??= 'results-refused';
        record.unsent = true;
        return 'finish';
      }
      tools.log.info(
        { run: run.uuid, failures, error: messageOf(error) },
        'the results are sent again later',
      );
      run.say(`Uploading results: waiting to try again (${messageOf(error)}).`);
      await tools.clock.sleep(pauseAfter(failures, backOff, tools.random()), signal);
    }
  }
}

/** The answer to a commit can be lost, and the server can have ended the run before all of it is sent again: that it knows. */
async function deliver(
  hashed: HashedTree,
  peer: SendPeer<unknown>,
  options: SendOptions & { signal: AbortSignal },
): Promise<void> {
  try {
    await sendContents(hashed, peer, options);
  } catch (error) {
    if (!(error instanceof SheafError && error.code === 'already-final')) throw error;
    await peer.commit(hashed.root, options);
  }
}

/**
 * Refused for good. A run that the server had killed is not told once more that it belongs to another attempt; one that has passed a
 * limit is.
 */
function isFinal(error: unknown, { kill }: Pick<RunRecord, 'kill'>): boolean {
  return isRefusal(error) && (!isInTheWay(error) || (kill?.kind === 'request' && isStale(error)));
}

/**
 * Passes by itself: the server still waits for the rest of an upload whose connection broke without a word; or it has given the run
 * up while the worker was cut off, and either takes it back or has it dropped with the next report.
 */
function isInTheWay(error: unknown): boolean {
  return isStale(error) || (error instanceof SheafError && error.code === 'conflict');
}

function isStale(error: unknown): boolean {
  return error instanceof SheafError && error.code === 'stale-assignment';
}
