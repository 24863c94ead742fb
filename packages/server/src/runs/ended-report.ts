/* The end of an attempt, as its worker reports it: the run is final, or goes back to the queue (execution.md §11.2, §31.4). */
import {
  failureAfterRetries,
  isPlatformFailure,
  judgeFailure,
  reportedCause,
  type FailureCause,
} from '@sheaf/domain';
import type { RunReport, WorkerMessage } from '@sheaf/wire';
import { updateBundle, type BundleRow } from '../bundles/transition.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { history, sentence, type NamedWorker } from './history.ts';
import { restageRun } from './restage.ts';
import { finalizeAllWhenStored } from './shared-filesystem/finalize-when-stored.ts';
import { earlierAttempts, placeOf } from './spoilt-attempts.ts';

/** Attempts that a platform, not the command, has spoilt; after that the run fails (execution.md §31.4). */
export const mostRestarts = 10;
/** Further attempts after failures that only the platform is to blame for. */
const mostRetries = 3;

export interface EndedReport {
  readonly worker: NamedWorker;
  readonly report: RunReport;
  readonly run: BundleRow;
}

/**
 * Runs whose commands have ended: final in the answer to the report that says so (execution.md §11.2).
 * @returns what their workers are told, by uuid
 */
export async function endAttempts(
  unit: UnitOfWork,
  ended: readonly EndedReport[],
  now: number,
): Promise<Map<string, WorkerMessage[]>> {
  const answers = new Map<string, WorkerMessage[]>();
  const final: BundleRow[] = [];
  for (const one of ended) {
    const cause = reportedCause({
      cause: one.report.failure_cause,
      platformFailure: one.report.platform_failure,
    });
    // What the command itself has come to is final, whatever was before.
    const last = isPlatformFailure(cause) ? await spoiltAttempt(unit, one, cause, now) : one.run;
    if (last === undefined) answers.set(one.run.uuid, [{ type: 'mark_finalized', uuid: one.run.uuid }]);
    else final.push(last);
  }
  for (const uuid of await finalizeAllWhenStored(unit, final, now))
    answers.set(uuid, [{ type: 'mark_finalized', uuid }]);
  return answers;
}

/** An attempt that the platform has spoilt: the run goes back to the queue, or, answered, ends as it is now. */
async function spoiltAttempt(
  unit: UnitOfWork,
  { worker, report, run }: EndedReport,
  cause: FailureCause,
  now: number,
): Promise<BundleRow | undefined> {
  const reason = report.failure_message ?? 'the platform failed';
  const named = run.is_anonymous === 0;
  const { spoilt, restarts } = await earlierAttempts(unit, run.uuid, { named });
  const decision = judgeFailure(
    cause,
    { spoilt: spoilt.length, restarts, killRequested: run.kill_requested_at !== null },
    { retries: mostRetries, restarts: mostRestarts },
  );
  if (decision === 'retry') {
    const event = history(
      'restaged',
      (names) =>
        `${names.worker} could not execute the run: ${sentence(reason)} That is not the fault of the command: it is tried again (${spoilt.length + 1} of ${mostRetries}), on another worker if there is one.`,
      { worker, attempt: run.epoch, more: { reason, failure_cause: cause } },
    );
    await restageRun(unit, run, { event, keepMetadata: false }, now);
    return undefined;
  }
  if (spoilt.length === 0) return run;
  const place = named ? placeOf(worker.workerId, worker.hostname) : undefined;
  const text = failureAfterRetries([...spoilt, { reason, worker: place }]);
  return (await updateBundle(unit, run.uuid, { metadata: { failure_message: text } }, now)) ?? run;
}
