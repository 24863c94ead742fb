/**
 * The life of a run on this worker: one step after the other, the record saved after each, until it is over or the worker ends.
 * Kill ends the run, shutdown ends only this loop: the next worker goes on where the record says.
 */
import { assertNever, failureWithKill, failureWithUploadError } from '@sheaf/domain';
import { pauseAfter } from '../back-off.ts';
import { messageOf } from '../errors.ts';
import type { HeldRun } from './held-run.ts';
import { Interruption, RunFailure } from './interruption.ts';
import { causeOf, causeOfStart } from './causes.ts';
import { blame, type Step } from './record.ts';
import { collect } from './steps/collect.ts';
import { clearAway, finish } from './steps/finish.ts';
import { prepare } from './steps/prepare.ts';
import { start } from './steps/start.ts';
import { upload } from './steps/upload.ts';
import { watch } from './steps/watch.ts';
import type { Attempt, RunTools } from './tools.ts';

/** Steps that lead to another; the rest are ends. */
type WorkingStep = Exclude<Step, 'finish' | 'restaged' | 'dropped'>;

/** Unexpected failures of a step that are put up with: engines and disks recover. */
const patience: Record<WorkingStep, number> = { prepare: 5, start: 5, watch: 20, collect: 5, upload: 5 };
const backOff = { first: 500, longest: 30_000 };

export type RunEnd = 'finished' | 'restaged' | 'dropped';

/**
 * Executes a run to its end. Rejects with the reason of the shutdown signal when the worker ends before.
 * @param gone called as soon as the run need not be reported any more
 */
export async function executeRun(run: HeldRun, tools: RunTools, gone: () => void): Promise<RunEnd> {
  const attempt: Attempt = {
    run,
    tools,
    signal: tools.shutdown,
    hashed: undefined,
    unstorable: undefined,
    destroying: undefined,
  };
  for (let failures = 0; ;) {
    tools.shutdown.throwIfAborted();
    const { step } = run.record;
    if (step === 'finish' || step === 'restaged' || step === 'dropped') return end(step, attempt, gone);
    attempt.signal = AbortSignal.any([run.interrupted, tools.shutdown]);
    let next: Step;
    try {
      // The command itself is ended by the step that watches it.
      if (step !== 'watch') run.interrupted.throwIfAborted();
      next = await advance(step, attempt);
      failures = 0;
    } catch (error) {
      tools.shutdown.throwIfAborted();
      failures += 1;
      run.metFullDisk ||= await tools.diskIsFull();
      if (error instanceof Interruption) next = afterInterruption(run);
      else if (error instanceof RunFailure || failures >= patience[step])
        next = afterFailure(run, step, error);
      else {
        await pause(attempt, failures, error);
        continue;
      }
    }
    enter(attempt, next);
  }
}

function advance(step: WorkingStep, attempt: Attempt): Promise<Step> {
  switch (step) {
    case 'prepare':
      return prepare(attempt);
    case 'start':
      return start(attempt);
    case 'watch':
      return watch(attempt);
    case 'collect':
      return collect(attempt);
    case 'upload':
      return upload(attempt);
    default:
      return assertNever(step);
  }
}

function enter({ run, tools }: Attempt, next: Step): void {
  const { record } = run;
  if (next === 'finish' && (record.kill?.kind === 'request' || record.kill?.kind === 'limit')) {
    record.failure = failureWithKill(record.failure, record.kill.message) ?? null;
    // Whatever else happened: nobody wants it again.
    blame(record, record.kill.kind === 'limit' ? 'limit' : null);
  }
  run.enter(next, tools.clock.now());
  // What must not happen before the record is on disk waits for that itself.
  run.saveSoon();
}

async function end(
  step: 'finish' | 'restaged' | 'dropped',
  attempt: Attempt,
  gone: () => void,
): Promise<RunEnd> {
  switch (step) {
    case 'finish':
      await finish(attempt, gone);
      return 'finished';
    case 'restaged':
      await clearAway(attempt, { keepDirectory: attempt.tools.settings.preemptible });
      return 'restaged';
    case 'dropped':
      gone();
      await clearAway(attempt);
      return 'dropped';
    default:
      return assertNever(step);
  }
}

/** A run killed before its command ran has no contents; results that are on their way are given up. */
function afterInterruption(run: HeldRun): Step {
  run.interruptionHandled();
  const kind = run.record.kill?.kind ?? 'request';
  switch (kind) {
    case 'drop':
      return 'dropped';
    case 'restage':
      return 'restaged';
    case 'request':
    case 'limit':
      return 'finish';
    default:
      return assertNever(kind);
  }
}

function afterFailure(run: HeldRun, step: WorkingStep, error: unknown): Step {
  const { record } = run;
  const message = messageOf(error);
  switch (step) {
    case 'prepare':
    case 'start':
      record.failure = error instanceof RunFailure ? message : `Cannot start container: ${message}`;
      blame(record, causeOfStart(error, run.metFullDisk));
      return 'finish';
    case 'watch':
      // What the command has written until now is still worth having.
      record.failure = `System error: the worker lost sight of the command: ${message}`;
      blame(record, causeOf(error, 'unexpected'));
      return 'collect';
    case 'collect':
    case 'upload':
      record.failure = failureWithUploadError(record.failure, message);
      if (record.failureCause === null) blame(record, causeOf(error, 'unexpected'));
      record.unsent = true;
      return 'finish';
    default:
      return assertNever(step);
  }
}

async function pause(
  { run, tools, signal: either }: Attempt,
  failures: number,
  error: unknown,
): Promise<void> {
  const { step } = run.record;
  // A kill cuts the pause short, but not the pauses between attempts to carry it out.
  const signal = run.interrupted.aborted ? tools.shutdown : either;
  tools.log.warn(
    { run: run.uuid, step, failures, error: messageOf(error) },
    'a step of a run failed and is tried again',
  );
  run.say(`Trying again: ${messageOf(error)}`);
  try {
    await tools.clock.sleep(pauseAfter(failures, backOff, tools.random()), signal);
  } catch (reason) {
    if (!signal.aborted) throw reason;
  }
}
