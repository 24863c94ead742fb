/* Takes over what a worker says about the runs it holds (execution.md §10.4, §14.1, §31.1). */
import {
  assertNever,
  judgeReport,
  quotaKill,
  reportedFailure,
  type BundleState,
  type ReportAnswer,
  type ReportDecision,
} from '@sheaf/domain';
import type { RunReport, WorkerMessage } from '@sheaf/wire';
import { chargeDisk, chargeTime, readQuota } from '../accounts/quota.ts';
import { rootUserId } from '../accounts/users.ts';
import { transition, type BundleRow } from '../bundles/transition.ts';
import { inChunks } from '../database/chunks.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { workerKeyText, type WorkerKey } from '../workers/worker-key.ts';
import { assignmentsOfRuns, holderOf, lastHolder, type AssignmentRow } from './assignments.ts';
import { repaired } from './damage.ts';
import { endAttempt } from './ended-report.ts';
import { history, noteOnce, type NamedWorker } from './history.ts';
import { epochSeconds, metadataOf } from './metadata.ts';
import { noteDisowned } from './refusals.ts';
import { quotaEvent, reportEvent } from './report-events.ts';
import { commandRuns, reportedChanges } from './report-metadata.ts';
import { restageRun } from './restage.ts';
import { reportedSamples } from './statistics/reported.ts';
import type { NewSamples } from './statistics/store.ts';

export interface ReportingWorker extends NamedWorker {
  readonly preemptible: boolean;
}

/**
 * Applies the reports, in their order. Answers what follows from them for the worker: kills and finalisations.
 * @param heard collects the samples of the reports that count, to be stored together.
 */
export async function applyReports(
  unit: UnitOfWork,
  worker: ReportingWorker,
  reports: readonly RunReport[],
  now: number,
  heard: NewSamples[] = [],
): Promise<WorkerMessage[]> {
  if (reports.length === 0) return [];
  const uuids = reports.map(({ uuid }) => uuid);
  const rows = await inChunks(uuids, (chunk) =>
    unit.queries
      .selectFrom('bundle')
      .selectAll()
      .where('uuid', 'in', chunk)
      .orderBy('id')
      .modifyEnd(unit.dialect.rowLock)
      .execute(),
  );
  const bundles = new Map(rows.map((row) => [row.uuid, row]));
  const assignments = await assignmentsOfRuns(unit.queries, uuids);
  const answers: WorkerMessage[] = [];
  for (const report of reports) {
    answers.push(
      ...(await applyReport(
        unit,
        worker,
        report,
        bundles.get(report.uuid),
        assignments.get(report.uuid),
        now,
        heard,
      )),
    );
  }
  return answers;
}

async function applyReport(
  unit: UnitOfWork,
  worker: ReportingWorker,
  report: RunReport,
  bundle: BundleRow | undefined,
  assignment: AssignmentRow | undefined,
  now: number,
  heard: NewSamples[],
): Promise<WorkerMessage[]> {
  const decision = judgeReport({
    bundle:
      bundle === undefined
        ? null
        : { state: bundle.state as BundleState, killRequested: bundle.kill_requested_at !== null },
    assignment: assignment === undefined ? null : holderOf(assignment),
    lastHolder:
      bundle === undefined || assignment !== undefined ? null : await lastHolder(unit.queries, report.uuid),
    report: { worker: workerKeyText(worker), state: report.state, epoch: report.epoch ?? null },
  });
  switch (decision.action) {
    case 'ignore':
      if (bundle !== undefined && decision.answer === 'kill')
        await noteDisowned(unit, worker, bundle, report.epoch ?? null, now);
      return answerMessages(report.uuid, decision.answer);
    case 'restage': {
      const event = history(
        'returned',
        (names) => `${names.worker} gave the run back, as it ends; the run waits for another one.`,
        { worker, attempt: bundle?.epoch },
      );
      if (bundle !== undefined)
        await restageRun(unit, bundle, { event, keepMetadata: worker.preemptible }, now);
      return [];
    }
    case 'apply':
      return bundle === undefined
        ? []
        : await applied(unit, worker, report, { bundle, assignment, decision }, now, heard);
    default:
      return assertNever(decision);
  }
}

async function applied(
  unit: UnitOfWork,
  worker: ReportingWorker,
  report: RunReport,
  found: {
    bundle: BundleRow;
    assignment: AssignmentRow | undefined;
    decision: Extract<ReportDecision, { action: 'apply' }>;
  },
  now: number,
  heard: NewSamples[],
): Promise<WorkerMessage[]> {
  const { assignment, decision } = found;
  const bundle = await repaired(unit, found.bundle);
  const run = await take(unit, worker, report, bundle, assignment, decision, now);
  if (run === undefined) return [];
  const samples = reportedSamples(report, metadataOf(bundle), now);
  if (samples.length > 0) heard.push({ uuid: bundle.uuid, epoch: bundle.epoch, samples });
  if (run.state === 'finalizing') return await endAttempt(unit, worker, report, run, now);
  const overQuota = await quotaKillOf(unit, report, run);
  if (overQuota === undefined) return answerMessages(report.uuid, decision.answer);
  await noteOnce(unit, run.uuid, now, quotaEvent(worker, run, overQuota));
  return [{ type: 'kill', uuid: report.uuid, kill_message: overQuota }];
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

async function take(
  unit: UnitOfWork,
  worker: ReportingWorker,
  report: RunReport,
  bundle: BundleRow,
  assignment: AssignmentRow | undefined,
  decision: Extract<ReportDecision, { action: 'apply' }>,
  now: number,
): Promise<BundleRow | undefined> {
  const changes = reportedChanges(
    report,
    {
      metadata: metadataOf(bundle),
      dataSize: bundle.data_size,
      keepSize: bundle.root_entry !== null || bundle.upload_failure !== null,
    },
    worker.workerId,
    epochSeconds(now),
  );
  const failure =
    decision.state === 'finalizing'
      ? reportedFailure({ failureMessage: report.failure_message, exitcode: report.exitcode })
      : undefined;
  const event = reportEvent(worker, report, bundle, decision);
  const applied = await transition(unit, {
    uuid: bundle.uuid,
    type: 'run',
    expected: [decision.from],
    next: decision.state,
    changes: {
      metadata: {
        ...changes.metadata,
        ...(decision.state === 'finalizing'
          ? { failure_message: failure ?? null, exitcode: report.exitcode ?? null }
          : {}),
      },
    },
    now,
    ...(event === undefined ? {} : { event }),
  });
  if (applied === undefined) return undefined;
  const { owner_id: owner } = bundle;
  // Only workers that serve everybody cost time; space costs wherever it is used.
  if (owner !== null && worker.userId === rootUserId && changes.moreSeconds > 0) {
    await chargeTime(unit, owner, changes.moreSeconds);
  }
  if (owner !== null && changes.moreBytes !== 0) await chargeDisk(unit, owner, changes.moreBytes);
  await noteContact(unit, worker, bundle, assignment, now);
  return applied;
}

/** Restores the assignment of a run that came back, and notes that the run was heard of. */
async function noteContact(
  unit: UnitOfWork,
  worker: WorkerKey,
  bundle: BundleRow,
  assignment: AssignmentRow | undefined,
  now: number,
): Promise<void> {
  if (assignment === undefined) {
    await unit.queries
      .insertInto('assignment')
      .values({
        run_uuid: bundle.uuid,
        user_id: worker.userId,
        worker_id: worker.workerId,
        epoch: bundle.epoch,
        assigned_at: now,
        started_at: now,
        reported_at: now,
        omissions: 0,
      })
      .execute();
    return;
  }
  await unit.queries
    .updateTable('assignment')
    .set({ reported_at: now, started_at: assignment.started_at ?? now, omissions: 0 })
    .where('run_uuid', '=', bundle.uuid)
    .execute();
  if (assignment.started_at !== null) return;
  // The answer to `start_bundle` was lost on the way: what was to be started is running.
  await unit.queries
    .deleteFrom('message')
    .where('run_uuid', '=', bundle.uuid)
    .where('type', '=', 'run')
    .execute();
}

async function quotaKillOf(unit: UnitOfWork, report: RunReport, run: BundleRow): Promise<string | undefined> {
  if (run.owner_id === null) return undefined;
  const quota = await readQuota(unit.queries, run.owner_id);
  if (quota === undefined) return undefined;
  return quotaKill({
    quota,
    commandRunning: commandRuns(report),
    containerSeconds: report.container_time_total,
  });
}
