/*
 * What workers tell, written down: many contacts with a few statements, as long as nothing about them is out of the ordinary; the others
 * one by one.
 */
import type { CheckinRequest, RunReport, WorkerMessage } from '@sheaf/wire';
import { SheafError } from '@sheaf/wire';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { Gathering } from '../gathering.ts';
import { noticeOmissions, omittingWorkers } from '../runs/loss.ts';
import { giveBackUnbegun, refusedStarts } from '../runs/refused-start.ts';
import { applyReports, type GivenReport } from '../runs/reports.ts';
import type { NewSamples } from '../runs/statistics/store.ts';
import type { Services } from '../services.ts';
import { applyIsolated, reportingWorker, storeIsolated } from './isolated-reports.ts';
import type { KnownDescriptions } from './known-descriptions.ts';
import type { Liveness } from './liveness.ts';
import {
  acknowledge,
  acknowledgeAll,
  acknowledgeDelivered,
  messagesOfWorkers,
  queuedMessages,
  type QueuedMessage,
} from './message-queue.ts';
import {
  findWorker,
  findWorkers,
  registerWorker,
  saysTheSame,
  touchWorkers,
  type Touch,
  type WorkerRow,
} from './register.ts';
import { refuseTwin } from './twins.ts';
import { workerKeyText, type WorkerKey } from './worker-key.ts';

export interface Contact {
  readonly worker: WorkerKey;
  readonly reports: readonly RunReport[];
  readonly ack: readonly number[];
  /** Undefined for reports between check-ins. */
  readonly checkin: { readonly request: CheckinRequest; readonly olderHeld: boolean } | undefined;
}

export interface ContactOutcome {
  /** What follows for the worker from what it said. */
  readonly derived: readonly WorkerMessage[];
  /** Everything that is queued for it. */
  readonly queued: readonly QueuedMessage[];
}

export interface ContactServices {
  readonly services: Services;
  readonly liveness: Liveness;
  readonly descriptions: KnownDescriptions;
}

interface Plain {
  readonly contact: Contact;
  readonly row: WorkerRow;
  readonly touch: Touch | undefined;
}

/** A contact that needs no special care. */
interface Ordinary {
  readonly contact: Contact;
  /** As it is stored; undefined for a worker that is new. */
  readonly row: WorkerRow | undefined;
  /** It says something new about itself. */
  readonly registers: CheckinRequest | undefined;
}

export class Contacts {
  readonly #context: ContactServices;
  readonly #gathering: Gathering<Contact, ContactOutcome>;

  constructor(context: ContactServices) {
    this.#context = context;
    this.#gathering = new Gathering<Contact, ContactOutcome>({
      atOnce: context.services.database.batchesAtOnce,
      keys: ({ worker, reports }) => [workerKeyText(worker), ...reports.map(({ uuid }) => uuid)],
      together: (contacts) => this.#together(contacts),
      alone: (contact) => this.#alone(contact),
      failed: (error) =>
        context.services.log.debug({ err: error }, 'what workers tell is written down one by one'),
    });
  }

  /**
   * Returns once it is committed.
   * @throws SheafError `conflict` when another worker uses the id, or a report comes from a worker that is not known
   */
  take(contact: Contact): Promise<ContactOutcome> {
    return this.#gathering.add(contact);
  }

  async #together(contacts: readonly Contact[]): Promise<(ContactOutcome | undefined)[]> {
    const { services, liveness, descriptions } = this.#context;
    const now = services.clock.now();
    const done = await services.unitOfWork(async (unit) => {
      const rows = await findWorkers(
        unit,
        contacts.map(({ worker }) => worker),
      );
      const ordinary = contacts.flatMap((contact) => this.#ordinary(contact, rows, now) ?? []);
      const plain = await writeDown(unit, ordinary, { now, workerTimeout: services.settings.workerTimeout });
      return { ordinary, plain, outcomes: await takePlain(services, unit, plain, now) };
    });
    for (const { contact, row, touch } of done.plain)
      liveness.heard(contact.worker, touch === undefined ? row.checkin_at : now);
    for (const { contact, registers } of done.ordinary)
      if (registers !== undefined) descriptions.note(contact.worker, registers);
    return contacts.map(({ worker }) => done.outcomes.get(workerKeyText(worker)));
  }

  /** Undefined for a contact that is to be looked at more closely. */
  #ordinary(contact: Contact, rows: ReadonlyMap<string, WorkerRow>, now: number): Ordinary | undefined {
    const { liveness, descriptions, services } = this.#context;
    const { worker, checkin, reports } = contact;
    const row = rows.get(workerKeyText(worker));
    if (new Set(reports.map(({ uuid }) => uuid)).size < reports.length) return undefined;
    if (checkin === undefined) return row === undefined ? undefined : { contact, row, registers: undefined };
    const { request, olderHeld } = checkin;
    if ((request.protocol ?? 1) < 2 || request.is_terminating) return undefined;
    if (row === undefined) return { contact, row, registers: request };
    try {
      refuseTwin(row, request, { silence: liveness.silence(worker, row.checkin_at, now), held: olderHeld });
    } catch (error) {
      // To be thrown where it concerns nobody else.
      if (error instanceof SheafError) return undefined;
      throw error;
    }
    const isSame =
      descriptions.isKnown(worker, request) &&
      saysTheSame(row, worker, request) &&
      row.checkin_at > now - services.settings.workerTimeout;
    return { contact, row, registers: isSame ? undefined : request };
  }

  /** As it is for a worker that goes, is an original one, is not let in, or says something odd. */
  async #alone(contact: Contact): Promise<ContactOutcome> {
    const { services, liveness, descriptions } = this.#context;
    const now = services.clock.now();
    const { worker, checkin } = contact;
    const outcome = await services.unitOfWork((unit) => takeOne(this.#context, unit, contact, now));
    liveness.heard(worker, now);
    if (checkin !== undefined) descriptions.note(worker, checkin.request);
    return outcome;
  }
}

/** Times of check-ins are written this often while nothing else is; so far they lag behind for other servers, and for people. */
const longestTouchPause = 2000;

function dueTouch(
  row: WorkerRow,
  request: CheckinRequest | undefined,
  { now, workerTimeout }: { now: number; workerTimeout: number },
): Touch | undefined {
  const freeDisk =
    request === undefined || request.free_disk_bytes === undefined || request.free_disk_bytes === null
      ? row.free_disk_bytes
      : Math.round(request.free_disk_bytes);
  const isDue = Math.abs(now - row.checkin_at) >= Math.min(longestTouchPause, workerTimeout / 20);
  const worker = { userId: row.user_id, workerId: row.worker_id };
  return isDue || freeDisk !== row.free_disk_bytes ? { worker, freeDisk } : undefined;
}

/** The records of the workers, as they say they are. */
async function writeDown(
  unit: UnitOfWork,
  ordinary: readonly Ordinary[],
  times: { readonly now: number; readonly workerTimeout: number },
): Promise<Plain[]> {
  const plain: Plain[] = [];
  for (const { contact, row, registers } of ordinary) {
    if (registers !== undefined) continue;
    if (row !== undefined)
      plain.push({ contact, row, touch: dueTouch(row, contact.checkin?.request, times) });
  }
  await touchWorkers(
    unit,
    plain.flatMap(({ touch }) => touch ?? []),
    times.now,
  );
  for (const { contact, registers } of ordinary) {
    if (registers === undefined) continue;
    const row = await registerWorker(unit, contact.worker, registers, times);
    plain.push({ contact, row, touch: undefined });
  }
  return plain;
}

async function takePlain(
  services: Services,
  unit: UnitOfWork,
  plain: readonly Plain[],
  now: number,
): Promise<ReadonlyMap<string, ContactOutcome>> {
  const given = plain.flatMap(({ contact, row }) => {
    const worker = reportingWorker(row);
    return contact.reports.map((report): GivenReport => ({ worker, report }));
  });
  const had = await acknowledgeAll(
    unit,
    plain.flatMap(({ contact }) => contact.ack.map((id) => ({ worker: contact.worker, id }))),
  );
  const heard: NewSamples[] = [];
  const answers = await applyReports(unit, given, now, heard);
  const derived = new Map<string, WorkerMessage[]>();
  for (const [at, { worker }] of given.entries()) {
    const own = derived.get(workerKeyText(worker)) ?? [];
    derived.set(workerKeyText(worker), own);
    own.push(...(answers[at] ?? []));
  }
  for (const { worker, runs } of had) await refusedStarts(unit, worker, runs, { patience: true }, now);
  await noticeAllOmissions(unit, plain, now);
  await storeIsolated(services, unit, heard);
  const queued = await messagesOfWorkers(
    unit.queries,
    unit.dialect,
    plain.map(({ contact }) => contact.worker),
    now,
  );
  return new Map(
    plain.map(({ contact: { worker } }) => {
      const key = workerKeyText(worker);
      return [key, { derived: derived.get(key) ?? [], queued: queued.get(key) ?? [] }];
    }),
  );
}

/** Nearly all workers report all that they hold. */
async function noticeAllOmissions(unit: UnitOfWork, plain: readonly Plain[], now: number): Promise<void> {
  const reported = new Map(
    plain
      .filter(({ contact }) => contact.checkin !== undefined)
      .map(({ contact: { worker, reports } }) => [
        workerKeyText(worker),
        { worker, uuids: new Set(reports.map(({ uuid }) => uuid)) },
      ]),
  );
  for (const { worker, uuids } of await omittingWorkers(unit, [...reported.values()]))
    await noticeOmissions(unit, worker, uuids, now);
}

/** Everything a contact says, in one transaction. */
async function takeOne(
  { services, liveness }: ContactServices,
  unit: UnitOfWork,
  { worker, reports, ack, checkin }: Contact,
  now: number,
): Promise<ContactOutcome> {
  const known = await findWorker(unit, worker);
  let derived: WorkerMessage[];
  if (checkin === undefined) {
    // A worker that was declared dead meanwhile has to introduce itself again first.
    if (known === undefined) throw new SheafError('conflict', 'The worker is not known: check in first.');
    await touchWorkers(unit, [{ worker, freeDisk: known.free_disk_bytes }], now);
    await refusedStarts(unit, worker, await acknowledge(unit, worker, ack), { patience: true }, now);
    derived = await applyIsolated(services, unit, known, reports, now);
  } else {
    const { request, olderHeld } = checkin;
    const acknowledges = (request.protocol ?? 1) >= 2;
    const silence = known === undefined ? 0 : liveness.silence(worker, known.checkin_at, now);
    refuseTwin(known, request, { silence, held: olderHeld });
    const { workerTimeout } = services.settings;
    const row = await registerWorker(unit, worker, request, { now, workerTimeout });
    const had = acknowledges
      ? await acknowledge(unit, worker, ack)
      : await acknowledgeDelivered(unit, worker);
    derived = await applyIsolated(services, unit, row, reports, now);
    const reported = new Set(reports.map(({ uuid }) => uuid));
    const unmentioned = had.filter(({ runUuid }) => !reported.has(runUuid));
    await refusedStarts(unit, worker, unmentioned, { patience: acknowledges }, now);
    await noticeOmissions(unit, worker, reported, now);
    if (request.is_terminating) await giveBackUnbegun(unit, worker, now);
  }
  return { derived, queued: await queuedMessages(unit.queries, worker, now) };
}
