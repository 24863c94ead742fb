/** Waits for the command to end, and ends it where somebody wants it dead (execution.md §17.3). */
import type { Runtime } from '@sheaf/runtimes';
import { Interruption } from '../interruption.ts';
import { readLast } from '../last-reading.ts';
import { blame, type Step } from '../record.ts';
import { containerSeconds } from '../report.ts';
import { runtimeNamed } from '../runtimes.ts';
import { believableEnd, startStopwatch } from '../stopwatch.ts';
import type { Attempt } from '../tools.ts';
import { observe } from '../observe.ts';

export async function watch(attempt: Attempt): Promise<Step> {
  const { run, tools, signal } = attempt;
  const { record } = run;
  const runtime = runtimeNamed(tools.runtimes, record.runtime ?? '');
  if (runtime === undefined || record.handle === null) {
    record.failure = `The run was executed by ${record.runtime}, which this worker has no more`;
    record.destroyed = true;
    blame(record, 'worker-unfit');
    return ended(attempt, undefined);
  }
  if (run.recovered) {
    const found = await runtime.recover(record.handle);
    if (found === undefined) {
      record.failure = vanishedText(runtime);
      blame(record, 'container-lost');
      return ended(attempt, undefined);
    }
    // The one who started it may have died before it could note when.
    if (found.state === 'running') record.startedAt = found.startedAt ?? record.startedAt;
  }
  run.stopwatch = startStopwatch(tools.clock, containerSeconds(record, tools.clock.now()));
  const over = new AbortController();
  void observe({ run, tools, runtime, handle: record.handle }, AbortSignal.any([signal, over.signal]));
  try {
    record.exit = await runtime.wait(record.handle, signal, (words) => run.say(words ?? ''));
    return await ended(attempt, runtime);
  } catch (error) {
    tools.shutdown.throwIfAborted();
    if (!(error instanceof Interruption)) throw error;
    await runtime.stop(record.handle);
    run.interruptionHandled();
    return record.kill?.kind === 'request' || record.kill?.kind === 'limit'
      ? await ended(attempt, runtime)
      : leave(attempt);
  } finally {
    over.abort(new Error('the command has ended'));
  }
}

async function ended(attempt: Attempt, runtime: Runtime | undefined): Promise<Step> {
  const { record, stopwatch } = attempt.run;
  const startedAt = record.exit?.startedAt ?? record.startedAt;
  const finishedAt = record.finishedAt ?? record.exit?.finishedAt ?? attempt.tools.clock.now();
  record.startedAt = startedAt;
  record.finishedAt = startedAt === null ? finishedAt : believableEnd({ startedAt, finishedAt }, stopwatch);
  attempt.tools.resources.release(record.uuid);
  if (runtime !== undefined) await readLast(attempt, runtime);
  return 'collect';
}

/** The command is dead, and its results are nobody's business here. */
function leave({ run }: Attempt): Step {
  return run.record.kill?.kind === 'drop' ? 'dropped' : 'restaged';
}

function vanishedText(runtime: Runtime): string {
  return runtime.capabilities.images
    ? 'Docker container not found'
    : 'The sandbox of the run is gone, and nobody knows how the command ended';
}
