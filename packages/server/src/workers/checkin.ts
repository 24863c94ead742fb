/*
 * The check-in of a worker (execution.md §4): who it is and what its runs do is taken over, and the answer is what it is to do,
 * held back until there is something.
 */
import { runReport, type CheckinRequest, type RunReport, type WorkerMessage } from '@sheaf/wire';
import { commandRuns } from '../runs/report-metadata.ts';
import type { Services } from '../services.ts';
import { arrangeAnswer } from './answer-order.ts';
import type { Contacts } from './contacts.ts';
import type { HeldCheckins } from './held-checkins.ts';
import type { Mail } from './mail.ts';
import { markDelivered, markUndelivered, takeForGood, type QueuedMessage } from './message-queue.ts';
import type { RecentDeliveries } from './recent-deliveries.ts';
import type { WakeUps } from './wake-ups.ts';
import { workerKeyText, type WorkerKey } from './worker-key.ts';

export interface CheckinServices {
  readonly services: Services;
  readonly held: HeldCheckins;
  readonly wakeUps: WakeUps;
  readonly deliveries: RecentDeliveries;
  readonly contacts: Contacts;
  readonly mail: Mail;
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
/** What another server on the same database has queued for a worker is seen this late at most. The embedded one has one server. */
const safetyNet = { postgresql: 5_000, sqlite: Number.POSITIVE_INFINITY } as const;

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
  const begun = services.clock.elapsed();
  wakeUps.checkedIn(worker.workerId);
  const acknowledges = (request.protocol ?? 1) >= 2;
  const reports = readReports(request.runs, services, worker);
  const hold = held.hold(worker, signal);
  try {
    const { derived, queued } = await context.contacts.take({
      worker,
      reports,
      ack: request.ack,
      checkin: { request, olderHeld: hold.replaced },
    });
    const reported = new Set(reports.map(({ uuid }) => uuid));
    const contact: Contact = { worker, acknowledges, reported, derived };
    const repeats =
      acknowledges &&
      contact.derived.length > 0 &&
      context.deliveries.isRepetition(worker, contact.derived, services.clock.elapsed());
    if (!acknowledges && reports.some(isInTransit)) wakeUps.wakeSoon(worker.workerId);
    const first = await answerTo(context, contact, queued, { again: true, onlyQueued: repeats });
    if (first !== undefined) return first;
    const milliseconds = repeats ? repetitionHold : holdTime(context, worker, request);
    const end = begun + milliseconds;
    for (let left = end - services.clock.elapsed(); left > 0; left = end - services.clock.elapsed()) {
      const pause = Math.min(left, safetyNet[services.database.dialect.name]);
      const reason = await hold.wait(pause);
      if (reason === 'replaced' || reason === 'closed') return nothing;
      if (reason === 'timeout' && pause === left) break;
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
  const reports = readReports(request.runs, context.services, worker);
  const { derived, queued } = await context.contacts.take({
    worker,
    reports,
    ack: request.ack,
    checkin: undefined,
  });
  const contact: Contact = {
    worker,
    acknowledges: true,
    reported: new Set(reports.map(({ uuid }) => uuid)),
    derived,
  };
  return (
    (await answerTo(context, contact, queued, { again: false, onlyQueued: false })) ?? {
      ...nothing,
      messages: [],
    }
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

/** The answer to one who waits, or undefined when there is nothing to say. */
async function collect(
  context: CheckinServices,
  contact: Contact,
  options: { again: boolean; onlyQueued: boolean },
): Promise<CheckinAnswer | undefined> {
  return await answerTo(context, contact, await context.mail.of(contact.worker), options);
}

/** @param queued all that is queued for the worker */
async function answerTo(
  { services, deliveries }: CheckinServices,
  { worker, acknowledges, reported, derived }: Contact,
  queued: readonly QueuedMessage[],
  options: { again: boolean; onlyQueued: boolean },
): Promise<CheckinAnswer | undefined> {
  const now = services.clock.now();
  const elapsed = services.clock.elapsed();
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
