/*
 * The check-in of a worker (execution.md §4): who it is and what its runs do is taken over, and the answer is what it is to do,
 * held back until there is something.
 */
import { runReport, SheafError, type CheckinRequest, type RunReport, type WorkerMessage } from '@sheaf/wire';
import { attempt } from '../database/attempt.ts';
import { inChunks } from '../database/chunks.ts';
import { endsTransaction } from '../database/contention.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { noticeOmissions } from '../runs/loss.ts';
import { applyReports, type ReportingWorker } from '../runs/reports.ts';
import { commandRuns } from '../runs/report-metadata.ts';
import { giveBackUnbegun, refusedStarts } from '../runs/refused-start.ts';
import { storeSamples, type NewSamples } from '../runs/statistics/store.ts';
import type { Services } from '../services.ts';
import { arrangeAnswer } from './answer-order.ts';
import type { HeldCheckins } from './held-checkins.ts';
import {
  acknowledge,
  acknowledgeDelivered,
  markDelivered,
  markUndelivered,
  queuedMessages,
  takeForGood,
} from './message-queue.ts';
import type { Liveness } from './liveness.ts';
import type { RecentDeliveries } from './recent-deliveries.ts';
import { findWorker, registerWorker, type WorkerRow } from './register.ts';
import { refuseTwin } from './twins.ts';
import type { WakeUps } from './wake-ups.ts';
import { workerKeyText, type WorkerKey } from './worker-key.ts';

export interface CheckinServices {
  readonly services: Services;
  readonly held: HeldCheckins;
  readonly wakeUps: WakeUps;
  readonly deliveries: RecentDeliveries;
  readonly liveness: Liveness;
}

export interface CheckinAnswer {
  readonly messages: readonly (WorkerMessage | null)[];
  /** To be called when the answer did not reach the worker. */
  readonly lost: () => Promise<void>;
}

/** How long check-ins are held, in milliseconds (execution.md §4.5). */
const longestHold = 30_000;
const originalIdleHold = 5_000;
const originalBusyHold = 1_000;
/** When the worker was told a moment ago and still says the same, asking it again at once would keep both busy. */
const repetitionHold = 1_000;

const nothing: CheckinAnswer = { messages: [null], lost: async () => undefined };

interface Contact {
  readonly worker: WorkerKey;
  readonly acknowledges: boolean;
  readonly reported: ReadonlySet<string>;
  readonly derived: readonly WorkerMessage[];
}

/** @throws SheafError `conflict` when another worker uses the id. `signal` fires when the worker hangs up. */
export async function checkIn(
  context: CheckinServices,
  worker: WorkerKey,
  request: CheckinRequest,
  signal: AbortSignal,
): Promise<CheckinAnswer> {
  const { services, held, wakeUps } = context;
  const now = services.clock.now();
  wakeUps.checkedIn(worker.workerId);
  const acknowledges = (request.protocol ?? 1) >= 2;
  const reports = readReports(request.runs, services, worker);
  const hold = held.hold(worker, signal);
  try {
    const contact: Contact = {
      worker,
      acknowledges,
      reported: new Set(reports.map(({ uuid }) => uuid)),
      derived: await takeOver(context, worker, request, reports, { now, olderHeld: hold.replaced }),
    };
    const repeats =
      acknowledges &&
      contact.derived.length > 0 &&
      context.deliveries.isRepetition(worker, contact.derived, services.clock.elapsed());
    if (!acknowledges && reports.some(isInTransit)) wakeUps.wakeSoon(worker.workerId);
    const first = await collect(context, contact, { again: true, onlyQueued: repeats });
    if (first !== undefined) return first;
    const milliseconds = repeats ? repetitionHold : holdTime(context, worker, request);
    const end = services.clock.elapsed() + milliseconds;
    for (let left = milliseconds; left > 0; left = end - services.clock.elapsed()) {
      const reason = await hold.wait(left);
      if (reason === 'replaced' || reason === 'closed') return nothing;
      if (reason === 'timeout') break;
      const answer = await collect(context, contact, { again: false, onlyQueued: repeats });
      if (answer !== undefined) return answer;
    }
    return repeats
      ? ((await collect(context, contact, { again: false, onlyQueued: false })) ?? nothing)
      : nothing;
  } finally {
    hold.release();
  }
}

/** The reports of a worker between its check-ins; never held (protocol 2). */
export async function report(
  context: CheckinServices,
  worker: WorkerKey,
  request: { runs: readonly unknown[]; ack: readonly number[] },
): Promise<CheckinAnswer> {
  const { services } = context;
  const now = services.clock.now();
  const reports = readReports(request.runs, services, worker);
  const derived = await services.unitOfWork(async (unit) => {
    const row = await findWorker(unit, worker);
    if (row === undefined) return undefined;
    await unit.queries
      .updateTable('worker')
      .set({ checkin_at: now })
      .where('user_id', '=', worker.userId)
      .where('worker_id', '=', worker.workerId)
      .execute();
    await refusedStarts(unit, worker, await acknowledge(unit, worker, request.ack), { patience: true }, now);
    return await applyIsolated(services, unit, row, reports, now);
  });
  // A worker that was declared dead meanwhile has to introduce itself again first.
  if (derived === undefined) throw new SheafError('conflict', 'The worker is not known: check in first.');
  context.liveness.heard(worker, now);
  const contact: Contact = {
    worker,
    acknowledges: true,
    reported: new Set(reports.map(({ uuid }) => uuid)),
    derived,
  };
  return (
    (await collect(context, contact, { again: false, onlyQueued: false })) ?? { ...nothing, messages: [] }
  );
}

function holdTime(
  { services, wakeUps }: CheckinServices,
  worker: WorkerKey,
  request: CheckinRequest,
): number {
  const bound = services.settings.workerTimeout / 2;
  const asked = request.hold === undefined || request.hold === null ? undefined : request.hold * 1000;
  if ((request.protocol ?? 1) >= 2) return Math.min(asked ?? longestHold, longestHold, bound);
  // An original worker cannot advance its runs while it waits here.
  if (wakeUps.isConnected(worker.workerId)) return 0;
  const longest = request.runs.length > 0 ? originalBusyHold : originalIdleHold;
  return Math.min(asked ?? longest, longest, bound);
}

/** A command that has run for fewer seconds than this may well end at once. */
const justBegun = 10;

/** Between its stages a run waits for the next check-in, which original workers send every few seconds (execution.md §7). */
function isInTransit(run: RunReport): boolean {
  if (run.state === 'running') return !commandRuns(run) || run.container_time_total < justBegun;
  return run.state === 'preparing' || run.state === 'finalizing';
}

/** Everything the check-in says, in one transaction. Answers what follows for the worker. */
async function takeOver(
  { services, liveness }: CheckinServices,
  worker: WorkerKey,
  request: CheckinRequest,
  reports: readonly RunReport[],
  { now, olderHeld }: { now: number; olderHeld: boolean },
): Promise<WorkerMessage[]> {
  const acknowledges = (request.protocol ?? 1) >= 2;
  const reported = new Set(reports.map(({ uuid }) => uuid));
  const answers = await services.unitOfWork(async (unit) => {
    const known = await findWorker(unit, worker);
    const silence = known === undefined ? 0 : liveness.silence(worker, known.checkin_at, now);
    refuseTwin(known, request, { silence, held: olderHeld });
    const row = await registerWorker(unit, worker, request, {
      now,
      workerTimeout: services.settings.workerTimeout,
    });
    const had = acknowledges
      ? await acknowledge(unit, worker, request.ack)
      : await acknowledgeDelivered(unit, worker);
    const derived = await applyIsolated(services, unit, row, reports, now);
    const unmentioned = had.filter(({ runUuid }) => !reported.has(runUuid));
    await refusedStarts(unit, worker, unmentioned, { patience: acknowledges }, now);
    await noticeOmissions(unit, worker, reported, now);
    if (request.is_terminating) await giveBackUnbegun(unit, worker, now);
    return derived;
  });
  liveness.heard(worker, now);
  return answers;
}

/** One odd report never costs the others (execution.md §4.2). */
async function applyIsolated(
  services: Services,
  unit: UnitOfWork,
  row: WorkerRow,
  reports: readonly RunReport[],
  now: number,
): Promise<WorkerMessage[]> {
  const { user_id: userId, worker_id: workerId, hostname } = row;
  const worker = { userId, workerId, hostname, preemptible: row.preemptible === 1 };
  if (reports.length > 1) {
    await lockReported(unit, reports);
    const together = await applyTogether(services, unit, worker, reports, now);
    if (together !== undefined) return together;
  }
  const answers: WorkerMessage[] = [];
  const heard: NewSamples[] = [];
  for (const one of reports) {
    try {
      answers.push(...(await attempt(unit, () => applyReports(unit, worker, [one], now, heard))));
    } catch (error) {
      if (endsTransaction(error)) throw error;
      services.log.error(
        { err: error, run: one.uuid, worker: workerKeyText(worker) },
        'a report could not be applied',
      );
    }
  }
  await storeIsolated(services, unit, heard);
  return answers;
}

/** With a few questions for all of them, which is how it goes nearly always; undefined where one of them is odd. */
async function applyTogether(
  services: Services,
  unit: UnitOfWork,
  worker: ReportingWorker,
  reports: readonly RunReport[],
  now: number,
): Promise<WorkerMessage[] | undefined> {
  // Of two reports about one run, the second is judged by what the first has made of it.
  if (new Set(reports.map(({ uuid }) => uuid)).size < reports.length) return undefined;
  const heard: NewSamples[] = [];
  try {
    const answers = await attempt(unit, () => applyReports(unit, worker, reports, now, heard));
    await storeIsolated(services, unit, heard);
    return answers;
  } catch (error) {
    if (endsTransaction(error)) throw error;
    services.log.debug({ err: error }, 'reports are applied one by one');
    return undefined;
  }
}

/** All runs together; what cannot be kept costs nothing but itself. */
async function storeIsolated(
  services: Services,
  unit: UnitOfWork,
  heard: readonly NewSamples[],
): Promise<void> {
  try {
    if (heard.length > 0) await attempt(unit, () => storeSamples(unit, heard));
  } catch (error) {
    if (endsTransaction(error)) throw error;
    services.log.error({ err: error }, 'samples of runs could not be stored');
  }
}

/**
 * Takes all rows the reports will write, in one order for everybody: bundles, then their owners. Two workers with runs of the same
 * two users would else wait for each other.
 */
async function lockReported(unit: UnitOfWork, reports: readonly RunReport[]): Promise<void> {
  const bundles = await inChunks(
    reports.map(({ uuid }) => uuid),
    (chunk) =>
      unit.queries
        .selectFrom('bundle')
        .select(['id', 'owner_id'])
        .where('uuid', 'in', chunk)
        .orderBy('id')
        .modifyEnd(unit.dialect.rowLock)
        .execute(),
  );
  const owners = bundles.map(({ owner_id: owner }) => owner).filter((owner) => owner !== null);
  await inChunks(owners.toSorted(), (chunk) =>
    unit.queries
      .selectFrom('user')
      .select('id')
      .where('id', 'in', chunk)
      .orderBy('id')
      .modifyEnd(unit.dialect.rowLock)
      .execute(),
  );
}

function readReports(runs: readonly unknown[], services: Services, worker: WorkerKey): RunReport[] {
  return runs.flatMap((run) => {
    const parsed = runReport.safeParse(run);
    if (parsed.success) return [parsed.data];
    services.log.warn(
      { worker: workerKeyText(worker), problem: parsed.error.issues[0] },
      'skipped a run report',
    );
    return [];
  });
}

/** The answer, or undefined when there is nothing to say. */
async function collect(
  { services, deliveries }: CheckinServices,
  { worker, acknowledges, reported, derived }: Contact,
  options: { again: boolean; onlyQueued: boolean },
): Promise<CheckinAnswer | undefined> {
  const now = services.clock.now();
  const elapsed = services.clock.elapsed();
  const queued = await queuedMessages(services.database.queries, worker, now);
  const due = options.again ? queued : queued.filter(({ id }) => !deliveries.isOnItsWay(id, elapsed));
  const { messages, delivered } = arrangeAnswer({ queued: due, derived, reported, acknowledges });
  if (messages.length === 0 || (options.onlyQueued && delivered.length === 0)) return undefined;
  deliveries.note(worker, messages, elapsed);
  // Workers that acknowledge are told again until they do, so nothing has to be noted for them.
  const once = delivered.filter(({ type }) => type === 'write').map(({ id }) => id);
  const ids = acknowledges ? [] : delivered.filter(({ type }) => type !== 'write').map(({ id }) => id);
  if (ids.length + once.length > 0) {
    await services.unitOfWork(async (unit) => {
      await markDelivered(unit, ids, now);
      await takeForGood(unit, once);
    });
  }
  return { messages, lost: () => services.unitOfWork((unit) => markUndelivered(unit, ids)) };
}
