/* Takes over what workers say about the runs they hold (execution.md §10.4, §14.1, §31.1), with a few statements for all of it. */
import {
  assertNever,
  isFinal,
  judgeReport,
  quotaKill,
  type BundleState,
  type ReportAnswer,
} from '@sheaf/domain';
import type { RunReport, WorkerMessage } from '@sheaf/wire';
import { readQuotas } from '../accounts/quota.ts';
import type { BundleRow } from '../bundles/transition.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { workerKeyText } from '../workers/worker-key.ts';
import { assignmentsOfRuns, holderOf, lastHolder, type AssignmentRow } from './assignments.ts';
import { repaired } from './damage.ts';
import { endAttempts } from './ended-report.ts';
import { history, noteOnce, type NamedWorker } from './history.ts';
import { lockBundles } from './lock-bundle.ts';
import { metadataOf } from './metadata.ts';
import { noteDisowned } from './refusals.ts';
import { quotaEvent } from './report-events.ts';
import { commandRuns } from './report-metadata.ts';
import { restageRun } from './restage.ts';
import { reportedSamples } from './statistics/reported.ts';
import type { NewSamples } from './statistics/store.ts';
import { takeReports, type TakenReport } from './taken-reports.ts';

export interface ReportingWorker extends NamedWorker {
  readonly preemptible: boolean;
}

export interface GivenReport {
  readonly worker: ReportingWorker;
  readonly report: RunReport;
}

/**
 * Applies reports. Answers what follows from each of them for its worker: kills and finalisations.
 * @param given at most one of each run
 * @param heard collects the samples of the reports that count, to be stored together.
 */
export async function applyReports(
  unit: UnitOfWork,
  given: readonly GivenReport[],
  now: number,
  heard: NewSamples[] = [],
): Promise<WorkerMessage[][]> {
  if (given.length === 0) return [];
  const uuids = given.map(({ report }) => report.uuid);
  const bundles = await lockBundles(unit, uuids);
  const assignments = await assignmentsOfRuns(unit, uuids);
  const answers = new Map<string, WorkerMessage[]>();
  const counting: TakenReport[] = [];
  for (const one of given) {
    const { uuid } = one.report;
    const judged = await judge(unit, one, bundles.get(uuid), assignments.get(uuid), now);
    if (judged.taken === undefined) answers.set(uuid, judged.answer);
    else counting.push(judged.taken);
  }
  const rows = await takeReports(unit, counting, now);
  const taken = counting.flatMap((one) => {
    const run = rows.get(one.report.uuid);
    return run === undefined ? [] : [{ ...one, run }];
  });
  for (const { report, bundle } of taken) {
    const samples = reportedSamples(report, metadataOf(bundle), now);
    if (samples.length > 0) heard.push({ uuid: bundle.uuid, epoch: bundle.epoch, samples });
  }
  const ending = taken.filter(({ run }) => run.state === 'finalizing');
  for (const [uuid, answer] of await endAttempts(unit, ending, now)) answers.set(uuid, answer);
  const going = taken.filter(({ run }) => run.state !== 'finalizing');
  for (const [uuid, answer] of await answersToGoing(unit, going, now)) answers.set(uuid, answer);
  return uuids.map((uuid) => answers.get(uuid) ?? []);
}

/** What a report leads to: it counts, or it does not, and this is the answer. */
async function judge(
  unit: UnitOfWork,
  { worker, report }: GivenReport,
  bundle: BundleRow | undefined,
  assignment: AssignmentRow | undefined,
  now: number,
): Promise<{ taken: TakenReport } | { taken: undefined; answer: WorkerMessage[] }> {
  const decision = judgeReport({
    bundle:
      bundle === undefined
        ? null
        : { state: bundle.state as BundleState, killRequested: bundle.kill_requested_at !== null },
    assignment: assignment === undefined ? null : holderOf(assignment),
    // Of no account where the run is over, or somebody has it.
    lastHolder:
      bundle === undefined || assignment !== undefined || isFinal(bundle.state as BundleState)
        ? null
        : await lastHolder(unit.queries, report.uuid),
    report: { worker: workerKeyText(worker), state: report.state, epoch: report.epoch ?? null },
  });
  switch (decision.action) {
    case 'ignore':
      if (bundle !== undefined && decision.answer === 'kill')
        await noteDisowned(unit, worker, bundle, report.epoch ?? null, now);
      return { taken: undefined, answer: answerMessages(report.uuid, decision.answer) };
    case 'restage': {
      const event = history(
        'returned',
        (names) => `${names.worker} gave the run back, as it ends; the run waits for another one.`,
        { worker, attempt: bundle?.epoch },
      );
      if (bundle !== undefined)
        await restageRun(unit, bundle, { event, keepMetadata: worker.preemptible }, now);
      return { taken: undefined, answer: [] };
    }
    case 'apply':
      if (bundle === undefined) return { taken: undefined, answer: [] };
      return { taken: { worker, report, bundle: await repaired(unit, bundle), assignment, decision } };
    default:
      return assertNever(decision);
  }
}

/** Runs that go on, unless somebody wants them dead or their owner has used up what is theirs. */
async function answersToGoing(
  unit: UnitOfWork,
  going: readonly (TakenReport & { readonly run: BundleRow })[],
  now: number,
): Promise<Map<string, WorkerMessage[]>> {
  const answers = new Map<string, WorkerMessage[]>();
  if (going.length === 0) return answers;
  const owners = going.flatMap(({ run }) => run.owner_id ?? []);
  const quotas = await readQuotas(unit, new Set(owners));
  for (const { worker, report, run, decision } of going) {
    const quota = quotas.get(run.owner_id ?? '');
    const overQuota =
      quota === undefined
        ? undefined
        : quotaKill({
            quota,
            commandRunning: commandRuns(report),
            containerSeconds: report.container_time_total,
          });
    if (overQuota === undefined) {
      answers.set(run.uuid, answerMessages(run.uuid, decision.answer));
      continue;
    }
    await noteOnce(unit, run.uuid, now, quotaEvent(worker, run, overQuota));
    answers.set(run.uuid, [{ type: 'kill', uuid: run.uuid, kill_message: overQuota }]);
  }
  return answers;
}

function answerMessages(uuid: string, answer: ReportAnswer): WorkerMessage[] {
  switch (answer) {
    case 'nothing':
      return [];
    case 'kill':
    case 'mark_finalized':
      return [{ type: answer, uuid }];
    default:
      return assertNever(answer);
  }
}
