/* The end of an attempt, as its worker reports it: the run is final, or goes back to the queue (execution.md §11.2, §31.4). */
import { failureAfterRetries, isPlatformFailure, judgeFailure, reportedCause } from '@sheaf/domain';
import type { RunReport, WorkerMessage } from '@sheaf/wire';
import { updateBundle, type BundleRow } from '../bundles/transition.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { history, sentence, type NamedWorker } from './history.ts';
import { restageRun } from './restage.ts';
import { finalizeWhenStored } from './shared-filesystem/finalize-when-stored.ts';
import { earlierAttempts, placeOf } from './spoilt-attempts.ts';

/** Attempts that a platform, not the command, has spoilt; after that the run fails (execution.md §31.4). */
export const mostRestarts = 10;
/** Further attempts after failures that only the platform is to blame for. */
const mostRetries = 3;

/** A run whose command has ended: final in the answer to the report that says so (execution.md §11.2). */
export async function endAttempt(
  unit: UnitOfWork,
  worker: NamedWorker,
  report: RunReport,
  run: BundleRow,
  now: number,
): Promise<WorkerMessage[]> {
  const cause = reportedCause({ cause: report.failure_cause, platformFailure: report.platform_failure });
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
    return [{ type: 'mark_finalized', uuid: run.uuid }];
  }
  let last = run;
  if (isPlatformFailure(cause) && spoilt.length > 0) {
    const place = named ? placeOf(worker.workerId, worker.hostname) : undefined;
    const text = failureAfterRetries([...spoilt, { reason, worker: place }]);
    last = (await updateBundle(unit, run.uuid, { metadata: { failure_message: text } }, now)) ?? run;
  }
  if (!(await finalizeWhenStored(unit, last, now))) return [];
  return [{ type: 'mark_finalized', uuid: run.uuid }];
}
