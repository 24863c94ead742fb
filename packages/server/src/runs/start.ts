/* The worker's question whether it may start a run; granted once for each attempt (execution.md §6.1, §31.1). */
import { write } from '../database/unanswered.ts';
import { assertNever, judgeStart, type BundleState } from '@sheaf/domain';
import type { StartBundleRequest } from '@sheaf/wire';
import { sql } from 'kysely';
import { transitionAll, type BundleRow, type Move } from '../bundles/transition.ts';
import { givenTexts } from '../database/given-rows.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { dropMessagesOfRuns } from '../workers/message-queue.ts';
import { workerKeyText } from '../workers/worker-key.ts';
import { assignmentsOfRuns, holderOf, type AssignmentRow } from './assignments.ts';
import { repaired } from './damage.ts';
import { releaseRun } from './finalize.ts';
import { history } from './history.ts';
import { noteRefusal } from './refusals.ts';
import { lockBundles } from './lock-bundle.ts';
import { epochSeconds, metadataOf } from './metadata.ts';
import type { ReportingWorker } from './reports.ts';
import { killWaiting } from './restage.ts';

export interface StartQuestion {
  readonly worker: ReportingWorker;
  readonly uuid: string;
  readonly request: StartBundleRequest;
}

interface Granted extends StartQuestion {
  /** As it was before, and can be read. */
  readonly bundle: BundleRow;
  readonly assignment: AssignmentRow;
}

/**
 * Answers many questions with a few statements. False whenever the run is not the worker's to start, also where it does not exist:
 * never an error (execution.md §2).
 * @param questions each run once
 * @returns in their order
 */
export async function startRuns(
  unit: UnitOfWork,
  questions: readonly StartQuestion[],
  now: number,
): Promise<boolean[]> {
  const uuids = questions.map(({ uuid }) => uuid);
  const bundles = await lockBundles(unit, uuids);
  const assignments = await assignmentsOfRuns(unit, uuids);
  const answers = new Map<string, boolean>();
  const granted: Granted[] = [];
  for (const question of questions) {
    const { uuid } = question;
    const judged = await judge(unit, question, bundles.get(uuid), assignments.get(uuid), now);
    if (typeof judged === 'boolean') answers.set(uuid, judged);
    else granted.push(judged);
  }
  for (const uuid of await grant(unit, granted, now)) answers.set(uuid, true);
  return uuids.map((uuid) => answers.get(uuid) ?? false);
}

/** Settles what is not to be granted. */
async function judge(
  unit: UnitOfWork,
  question: StartQuestion,
  bundle: BundleRow | undefined,
  assignment: AssignmentRow | undefined,
  now: number,
): Promise<boolean | Granted> {
  const { worker, uuid, request } = question;
  const decision = judgeStart({
    bundle:
      bundle === undefined
        ? null
        : { state: bundle.state as BundleState, killRequested: bundle.kill_requested_at !== null },
    assignment: assignment === undefined ? null : holderOf(assignment),
    worker: workerKeyText(worker),
    epoch: request.epoch ?? null,
  });
  switch (decision) {
    case 'grant':
      if (bundle === undefined || assignment === undefined) return false;
      return { ...question, bundle: await repaired(unit, bundle), assignment };
    case 'repeat':
      return true;
    case 'refuse':
      if (bundle !== undefined) await noteRefusal(unit, worker, bundle, request.epoch ?? null, now);
      return false;
    case 'refuse and kill':
      if (bundle !== undefined) {
        await killWaiting(unit, bundle, now);
        await releaseRun(unit, uuid);
      }
      return false;
    default:
      return assertNever(decision);
  }
}

const preparing = 'Fetching what the run depends on and its image.';

/** Answers the uuids of those that begin now. */
async function grant(unit: UnitOfWork, granted: readonly Granted[], now: number): Promise<string[]> {
  const started = await transitionAll(
    unit,
    'run',
    granted.map((one) => beginning(one, now)),
    now,
  );
  const uuids = [...started.keys()];
  if (uuids.length === 0) return uuids;
  await write(
    unit,
    sql`update assignment set started_at = ${now}, reported_at = ${now}, omissions = 0
    where run_uuid in (select given from ${givenTexts(unit.dialect, uuids)} as runs)`,
  );
  // A second delivery of a started run would reset it on an original worker (execution.md §5.1).
  await dropMessagesOfRuns(unit, uuids, 'run');
  return uuids;
}

function beginning({ worker, bundle, assignment, request }: Granted, now: number): Move {
  const before = metadataOf(bundle)['remote_history'];
  const hosts = Array.isArray(before) ? before : [];
  return {
    uuid: bundle.uuid,
    from: 'starting',
    next: 'preparing',
    epoch: assignment.epoch,
    metadata: {
      run_status: preparing,
      started: Math.floor(request.start_time === 0 ? now / 1000 : request.start_time),
      // The server's clock: a worker whose clock is wrong must not look dead (execution.md §31.3).
      last_updated: epochSeconds(now),
      remote: request.hostname,
      on_preemptible_worker: worker.preemptible,
      remote_history: [...hosts, request.hostname],
    },
    event: history('started', (names) => `${names.worker} has begun: it fetches what the run needs.`, {
      worker: { ...worker, hostname: request.hostname === '' ? worker.hostname : request.hostname },
      attempt: assignment.epoch,
    }),
  };
}
