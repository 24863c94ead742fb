/* What nobody asks for: workers that went silent, starts that hang, messages nobody fetched, bundles stuck for months. */
import { isOpen } from '../bundles/open-bundles.ts';
import { isFinal, type BundleState, type BundleType } from '@sheaf/domain';
import { transition } from '../bundles/transition.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { Services } from '../services.ts';
import { dropExpiredMessages } from '../workers/message-queue.ts';
import { history } from './history.ts';
import { removeWorker } from './loss.ts';
import { StuckStarts } from './refused-start.ts';
import { restageUnbegun } from './unbegun-offline.ts';
import type { Liveness } from '../workers/liveness.ts';

/** Mailboxes of questions are kept this long, so that late answers are not refused, in milliseconds. */
const socketLife = 24 * 60 * 60 * 1000;
const stuckAfter = 60 * 24 * 60 * 60 * 1000;
const hour = 60 * 60 * 1000;

export class Maintenance {
  readonly #services: Services;
  readonly #isHeld: (worker: { userId: string; workerId: string }) => boolean;
  readonly #liveness: Liveness;
  readonly #starts: StuckStarts;
  #hourlyAt = Number.NEGATIVE_INFINITY;
  #passes = 0;
  #cancel = () => {};
  #running: Promise<void> = Promise.resolve();
  #stopped = true;

  /** @param isHeld whether a check-in of the worker is open, which proves that it lives */
  constructor(
    services: Services,
    liveness: Liveness,
    isHeld: (worker: { userId: string; workerId: string }) => boolean,
  ) {
    this.#services = services;
    this.#liveness = liveness;
    this.#starts = new StuckStarts(services.clock);
    this.#isHeld = isHeld;
  }

  start(): void {
    this.#stopped = false;
    this.#schedule();
  }

  /** How often everything was looked over. */
  get passes(): number {
    return this.#passes;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#running;
  }

  #schedule(): void {
    const { clock, settings } = this.#services;
    this.#cancel = clock.after(maintenancePause(settings.workerTimeout), () => {
      this.#running = this.#run().finally(() => {
        this.#passes += 1;
        if (!this.#stopped) this.#schedule();
      });
    });
  }

  async #run(): Promise<void> {
    const { clock, unitOfWork } = this.#services;
    const now = clock.now();
    this.#liveness.tick();
    const inOneUnit = (work: (unit: UnitOfWork, now: number) => Promise<unknown>) =>
      this.#isolated(() => unitOfWork((unit) => work(unit, now)));
    await this.#isolated(() => this.#removeSilentWorkers(now));
    await inOneUnit((unit) => this.#starts.restage(unit, now));
    await inOneUnit(restageUnbegun);
    await inOneUnit(dropExpiredMessages);
    if (clock.elapsed() - this.#hourlyAt < hour) return;
    this.#hourlyAt = clock.elapsed();
    await inOneUnit(dropOldSockets);
    await inOneUnit(failStuckBundles);
  }

  /** What goes wrong with one thing must not keep the others from being looked after, now and for ever (execution.md §31.4). */
  async #isolated(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#services.log.error({ err: error }, 'a part of the upkeep of runs failed');
    }
  }

  async #removeSilentWorkers(now: number): Promise<void> {
    const { database, settings, unitOfWork, log } = this.#services;
    const workers = await database.queries
      .selectFrom('worker')
      .select(['user_id', 'worker_id', 'checkin_at'])
      .execute();
    this.#liveness.keepOnly(
      workers.map(({ user_id: userId, worker_id: workerId }) => ({ userId, workerId })),
    );
    for (const row of workers) {
      const worker = { userId: row.user_id, workerId: row.worker_id };
      // After a start of the server, workers get their time to be heard again before anything is decided about them.
      const silent = this.#liveness.unheardFor(worker, row.checkin_at) >= settings.workerTimeout;
      if (!silent || this.#isHeld(worker)) continue;
      log.warn({ worker }, 'a worker has gone silent');
      await this.#isolated(() =>
        unitOfWork(async (unit) => {
          const still = await unit.queries
            .selectFrom('worker')
            .select('checkin_at')
            .where('user_id', '=', worker.userId)
            .where('worker_id', '=', worker.workerId)
            .where('checkin_at', '=', row.checkin_at)
            .modifyEnd(unit.dialect.rowLock)
            .executeTakeFirst();
          if (still !== undefined) await removeWorker(unit, worker, unheard(settings.workerTimeout), now);
        }),
      );
    }
  }
}

/** Milliseconds between two looks at everything. */
export function maintenancePause(workerTimeout: number): number {
  return Math.max(50, Math.min(5000, workerTimeout / 10));
}

function unheard(milliseconds: number): string {
  return `has not been heard of for ${Math.round(milliseconds / 1000)} s`;
}

async function dropOldSockets(unit: UnitOfWork, now: number): Promise<void> {
  await unit.queries
    .deleteFrom('socket')
    .where('run_uuid', 'is not', null)
    .where('created_at', '<', now - socketLife)
    .execute();
}

/** Bundles that nothing has happened to for 60 days; never one that a worker holds (execution.md §10.2). */
export async function failStuckBundles(unit: UnitOfWork, now: number): Promise<number> {
  const rows = await unit.queries
    .selectFrom('bundle')
    .leftJoin('assignment', 'assignment.run_uuid', 'bundle.uuid')
    .select(['bundle.uuid', 'bundle.state', 'bundle.bundle_type', 'bundle.created_at', 'bundle.changed_at'])
    .select((of) =>
      of
        .selectFrom('bundle_event')
        .whereRef('bundle_event.bundle_uuid', '=', 'bundle.uuid')
        .select((event) => event.fn.max('bundle_event.at').as('at'))
        .as('last_event_at'),
    )
    .where(isOpen())
    .where('bundle.state', 'in', ['uploading', 'staged', 'running'])
    .where('assignment.run_uuid', 'is', null)
    .where('bundle.created_at', '<', now - stuckAfter)
    .execute();
  let failed = 0;
  for (const row of rows) {
    const state = row.state as BundleState;
    // Why a staged run waits is written now and then, which is nothing that happens to it; what does, is in its history.
    const since =
      state === 'staged' ? Math.max(row.created_at, Number(row.last_event_at ?? 0)) : row.changed_at;
    if (isFinal(state) || since >= now - stuckAfter) continue;
    const message = `Bundle has been stuck in ${state} state for more than 60 days.`;
    const moved = await transition(unit, {
      uuid: row.uuid,
      type: row.bundle_type as BundleType,
      expected: [state],
      next: 'failed',
      changes: { metadata: { failure_message: message } },
      now,
      event: history('failed', message),
    });
    if (moved !== undefined) failed += 1;
  }
  return failed;
}
