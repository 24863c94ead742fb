/* Reports that count: states, metadata, accounts and assignments follow them. */
import { write } from '../database/unanswered.ts';
import { reportedFailure, type ReportDecision } from '@sheaf/domain';
import type { MetadataValue, RunReport } from '@sheaf/wire';
import { sql } from 'kysely';
import { charge } from '../accounts/charges.ts';
import { rootUserId } from '../accounts/users.ts';
import { transitionAll, type BundleRow, type Move } from '../bundles/transition.ts';
import { givenTexts, insertRows } from '../database/given-rows.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { dropMessagesOfRuns } from '../workers/message-queue.ts';
import { assignmentColumns, type AssignmentRow } from './assignments.ts';
import { epochSeconds, metadataOf } from './metadata.ts';
import { reportEvent } from './report-events.ts';
import { reportedChanges, type ReportedChanges } from './report-metadata.ts';
import type { GivenReport } from './reports.ts';

export interface TakenReport extends GivenReport {
  /** As it was before, and can be read. */
  readonly bundle: BundleRow;
  readonly assignment: AssignmentRow | undefined;
  readonly decision: Extract<ReportDecision, { action: 'apply' }>;
}

/** Answers the rows as they are with the reports, by uuid; missing are those that somebody else has moved meanwhile. */
export async function takeReports(
  unit: UnitOfWork,
  reports: readonly TakenReport[],
  now: number,
): Promise<ReadonlyMap<string, BundleRow>> {
  if (reports.length === 0) return new Map();
  const changed = reports.map((one) => ({ ...one, changes: changesOf(one, now) }));
  const news = changed.filter((one) => !isRepetition(one));
  const moved = await transitionAll(
    unit,
    'run',
    news.map((one) => moveOf(one)),
    now,
  );
  const rows = new Map(moved);
  for (const one of changed) if (isRepetition(one)) rows.set(one.bundle.uuid, one.bundle);
  const taken = changed.filter(({ bundle }) => rows.has(bundle.uuid));
  charge(
    unit,
    ...taken.flatMap(({ worker, bundle: { owner_id: userId, uuid }, changes }) => {
      if (userId === null || !moved.has(uuid)) return [];
      // Only workers that serve everybody cost time; space costs wherever it is used.
      const seconds = worker.userId === rootUserId ? Math.max(0, changes.moreSeconds) : 0;
      return [{ userId, seconds, bytes: changes.moreBytes }];
    }),
  );
  await noteContact(unit, taken, now);
  return rows;
}

type Changed = TakenReport & { readonly changes: ReportedChanges };

function changesOf({ report, bundle, worker }: TakenReport, now: number): ReportedChanges {
  return reportedChanges(
    report,
    {
      metadata: metadataOf(bundle),
      dataSize: bundle.data_size,
      keepSize: bundle.root_entry !== null || bundle.upload_failure !== null,
    },
    worker.workerId,
    epochSeconds(now),
  );
}

/** What grows by itself while a command runs. */
const clocks = new Set(['last_updated', 'time', 'time_user', 'time_system']);
/** Seconds of the command that need not be written down by themselves; the next report has them too. */
const shortTime = 1;

/** Check-ins say of every run what reports have said a moment before. */
function isRepetition({ bundle, decision, changes, report }: Changed): boolean {
  if (decision.from !== decision.state || decision.state === 'finalizing') return false;
  if (changes.moreSeconds >= shortTime || changes.moreBytes !== 0) return false;
  const before = metadataOf(bundle);
  const lastUpdated = before['last_updated'];
  const now = changes.metadata['last_updated'];
  if (typeof lastUpdated !== 'number' || typeof now !== 'number') return false;
  if (Math.abs(now - lastUpdated) > 2 * shortTime || bundle.epoch !== (report.epoch ?? bundle.epoch))
    return false;
  return Object.entries(changes.metadata).every(
    ([key, value]) => clocks.has(key) || JSON.stringify(before[key]) === JSON.stringify(value),
  );
}

function moveOf({ worker, report, bundle, decision, changes }: Changed): Move {
  const event = reportEvent(worker, report, bundle, decision);
  return {
    uuid: bundle.uuid,
    from: decision.from,
    next: decision.state,
    metadata: { ...changes.metadata, ...ending(report, decision) },
    ...(event === undefined ? {} : { event }),
  };
}

function ending(
  { failure_message: failureMessage, exitcode }: RunReport,
  { state }: TakenReport['decision'],
): Record<string, MetadataValue> {
  if (state !== 'finalizing') return {};
  return {
    failure_message: reportedFailure({ failureMessage, exitcode }) ?? null,
    exitcode: exitcode ?? null,
  };
}

/** How old the note of the last report about a run may become, in milliseconds. */
const contactPause = 5000;

/** Restores the assignments of runs that came back, and notes that the others were heard of. */
async function noteContact(unit: UnitOfWork, taken: readonly TakenReport[], now: number): Promise<void> {
  const returned = taken.filter(({ assignment }) => assignment === undefined);
  await insertRows(
    unit,
    'assignment',
    assignmentColumns,
    returned.map(({ bundle, worker }) => ({
      run_uuid: bundle.uuid,
      user_id: worker.userId,
      worker_id: worker.workerId,
      epoch: bundle.epoch,
      assigned_at: now,
      started_at: now,
      reported_at: now,
      omissions: 0,
    })),
  );
  const held = taken.flatMap(({ assignment }) => assignment ?? []);
  const stale = held.filter(
    ({ started_at: startedAt, reported_at: reportedAt, omissions }) =>
      startedAt === null ||
      omissions > 0 ||
      reportedAt === null ||
      Math.abs(now - reportedAt) >= contactPause,
  );
  if (stale.length > 0) {
    const uuids = stale.map((assignment) => assignment.run_uuid);
    await write(
      unit,
      sql`update assignment set reported_at = ${now}, started_at = coalesce(started_at, ${now}), omissions = 0
      where run_uuid in (select given from ${givenTexts(unit.dialect, uuids)} as runs)`,
    );
  }
  // The answer to `start_bundle` was lost on the way: what was to be started is running.
  const begun = held.filter(({ started_at: startedAt }) => startedAt === null);
  await dropMessagesOfRuns(
    unit,
    begun.map((assignment) => assignment.run_uuid),
    'run',
  );
}
