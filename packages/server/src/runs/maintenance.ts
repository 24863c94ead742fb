/* What nobody asks for: workers that went silent, starts that hang, messages nobody fetched, bundles stuck for months. */
import { isFinal, type BundleState, type BundleType } from '@sheaf/domain';
import { transition } from '../bundles/transition.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { Services } from '../services.ts';
import { dropExpiredMessages } from '../workers/message-queue.ts';
import { history } from './history.ts';
import { removeWorker } from './loss.ts';
import { restageStuckStarts } from './refused-start.ts';

/** Mailboxes of questions are kept this long, so that late answers are not refused, in milliseconds. */
const socketLife = 24 * 60 * 60 * 1000;
const stuckAfter = 60 * 24 * 60 * 60 * 1000;
const hour = 60 * 60 * 1000;

export class Maintenance {
  readonly #services: Services;
  readonly #isHeld: (worker: { userId: string; workerId: string }) => boolean;
  #startedAt = 0;
  #hourlyAt = Number.NEGATIVE_INFINITY;
  #cancel = () => {};
  #running: Promise<void> = Promise.resolve();
  #stopped = true;

  /** @param isHeld whether a check-in of the worker is open, which proves that it lives */
  constructor(services: Services, isHeld: (worker: { userId: string; workerId: string }) => boolean) {
    this.#services = services;
    this.#isHeld = isHeld;
  }

  start(): void {
    this.#stopped = false;
    this.#startedAt = this.#services.clock.now();
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#running;
  }

  #schedule(): void {
    const { clock, settings } = this.#services;
    const pause = Math.max(50, Math.min(5_000, settings.workerTimeout / 10));
    this.#cancel = clock.after(pause, () => {
      this.#running = this.#run().finally(() => {
        if (!this.#stopped) this.#schedule();
      });
    });
  }

  async #run(): Promise<void> {
    const { clock, settings, unitOfWork, log } = this.#services;
    const now = clock.now();
    try {
      // After a restart, workers get their time to be heard again before anything is decided about them.
      if (now - this.#startedAt >= settings.workerTimeout) await this.#removeSilentWorkers(now);
      await unitOfWork((unit) => restageStuckStarts(unit, now));
      await unitOfWork((unit) => dropExpiredMessages(unit, now));
      if (now - this.#hourlyAt >= hour) {
        this.#hourlyAt = now;
        await unitOfWork((unit) => dropOldSockets(unit, now));
        await unitOfWork((unit) => failStuckBundles(unit, now));
      }
    } catch (error) {
      log.error({ err: error }, 'the upkeep of runs failed');
    }
  }

  async #removeSilentWorkers(now: number): Promise<void> {
    const { database, settings, unitOfWork, log } = this.#services;
    const silent = await database.queries
      .selectFrom('worker')
      .select(['user_id', 'worker_id'])
      .where('checkin_at', '<', now - settings.workerTimeout)
      .execute();
    for (const row of silent) {
      const worker = { userId: row.user_id, workerId: row.worker_id };
      if (this.#isHeld(worker)) continue;
      await unitOfWork(async (unit) => {
        const still = await unit.queries
          .selectFrom('worker')
          .select('checkin_at')
          .where('user_id', '=', worker.userId)
          .where('worker_id', '=', worker.workerId)
          .where('checkin_at', '<', now - settings.workerTimeout)
          .executeTakeFirst();
        if (still !== undefined) await removeWorker(unit, worker, unheard(settings.workerTimeout), now);
      });
      log.warn({ worker }, 'a worker has gone silent');
    }
  }
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
