/** Waits for the command to end, and ends it where somebody wants it dead (execution.md §17.3). */
import type { Runtime } from '@sheaf/runtimes';
import { Interruption } from '../interruption.ts';
import type { Step } from '../record.ts';
import { runtimeNamed } from '../runtimes.ts';
import type { Attempt } from '../tools.ts';
import { observe } from '../observe.ts';

export async function watch(attempt: Attempt): Promise<Step> {
  const { run, tools, signal } = attempt;
  const { record } = run;
  const runtime = runtimeNamed(tools.runtimes, record.runtime ?? '');
  if (runtime === undefined || record.handle === null) {
    record.failure = `The run was executed by ${record.runtime}, which this worker has no more`;
    record.destroyed = true;
    return ended(attempt);
  }
  if (run.recovered && (await runtime.recover(record.handle)) === undefined) {
    record.failure = vanishedText(runtime);
    return ended(attempt);
  }
  const over = new AbortController();
  void observe({ run, tools, runtime, handle: record.handle }, AbortSignal.any([signal, over.signal]));
  try {
    record.exit = await runtime.wait(record.handle, signal);
    return ended(attempt);
  } catch (error) {
    tools.shutdown.throwIfAborted();
    if (!(error instanceof Interruption)) throw error;
    await runtime.stop(record.handle);
    run.interruptionHandled();
    return record.kill?.kind === 'request' || record.kill?.kind === 'limit' ? ended(attempt) : leave(attempt);
  } finally {
    over.abort(new Error('the command has ended'));
  }
}

function ended(attempt: Attempt): Step {
  const { record } = attempt.run;
  record.startedAt = record.exit?.startedAt ?? record.startedAt;
  record.finishedAt ??= record.exit?.finishedAt ?? attempt.tools.clock.now();
  attempt.tools.resources.release(record.uuid);
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
