/* Runs that were given to a worker which then did not start them (execution.md §31.2). */
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { Clock } from '../services.ts';
import { workerKeyText, type WorkerKey } from '../workers/worker-key.ts';
import { assignmentsOfRuns, assignmentsOfWorker, workerOf, type AssignmentRow } from './assignments.ts';
import { history, namedWorker } from './history.ts';
import { lockHeld } from './lock-bundle.ts';
import { restageRun } from './restage.ts';

/** A worker that has a run message asks to start the run within this time, in milliseconds. */
const startPatience = 10_000;
/** No run stays `starting` for longer. */
const longestStart = 300_000;

/**
 * The worker has had these `run` messages. Original workers ask to start a run before they do anything else, so what they have not
 * asked for is lost; the others get a moment (`patience`).
 */
export async function refusedStarts(
  unit: UnitOfWork,
  worker: WorkerKey,
  had: readonly { runUuid: string; epoch: number | null }[],
  options: { patience: boolean },
  now: number,
): Promise<void> {
  if (had.length === 0) return;
  const assignments = await assignmentsOfRuns(
    unit,
    had.map(({ runUuid }) => runUuid),
  );
  const key = workerKeyText(worker);
  for (const { runUuid, epoch } of had) {
    const assignment = assignments.get(runUuid);
    if (assignment === undefined || assignment.started_at !== null) continue;
    if (assignment.epoch !== epoch || workerKeyText(workerOf(assignment)) !== key) continue;
    if (options.patience) await noteReceipt(unit, assignment, now);
    else await giveBack(unit, [assignment], now);
  }
}

async function noteReceipt(unit: UnitOfWork, assignment: AssignmentRow, now: number): Promise<void> {
  await unit.queries
    .updateTable('assignment')
    .set({ reported_at: now })
    .where('run_uuid', '=', assignment.run_uuid)
    .execute();
}

/** Starts that were received and never asked for, and those that take too long; by a clock that nobody sets. */
export class StuckStarts {
  readonly #clock: Pick<Clock, 'elapsed'>;
  /** When each start was seen first, as it stood then. */
  #seen = new Map<string, number>();

  constructor(clock: Pick<Clock, 'elapsed'>) {
    this.#clock = clock;
  }

  /** Answers how many went back. */
  async restage(unit: UnitOfWork, now: number): Promise<number> {
    const begun = await unit.queries
      .selectFrom('assignment')
      .selectAll()
      .where('started_at', 'is', null)
      .execute();
    const time = this.#clock.elapsed();
    const seen = new Map<string, number>();
    const since = (key: string): number => {
      const at = this.#seen.get(key) ?? time;
      seen.set(key, at);
      return time - at;
    };
    const stuck = begun.filter(({ run_uuid: uuid, epoch, reported_at: receivedAt }) => {
      const assignedFor = since(`${uuid} ${epoch}`);
      const receivedFor = receivedAt === null ? 0 : since(`${uuid} ${epoch} ${receivedAt}`);
      return receivedFor > startPatience || assignedFor > longestStart;
    });
    this.#seen = seen;
    await giveBack(unit, stuck, now);
    return stuck.length;
  }
}

/** A worker that takes no more runs will not begin what it was given and has not begun: others get it at once. */
export async function giveBackUnbegun(unit: UnitOfWork, worker: WorkerKey, now: number): Promise<void> {
  const held = await assignmentsOfWorker(unit.queries, worker);
  const unbegun = held.filter(({ started_at: startedAt }) => startedAt === null);
  await giveBack(unit, unbegun, now, 'ends');
}

async function giveBack(
  unit: UnitOfWork,
  assignments: readonly AssignmentRow[],
  now: number,
  why: 'ends' | 'did not begin' = 'did not begin',
): Promise<void> {
  const byRun = new Map(assignments.map((assignment) => [assignment.run_uuid, assignment]));
  for (const run of await lockHeld(unit, assignments)) {
    const assignment = byRun.get(run.uuid);
    // The worker may have begun in between.
    if (run.state !== 'starting' || assignment === undefined) continue;
    const worker = await namedWorker(unit, workerOf(assignment));
    const event = history(
      why === 'ends' ? 'returned' : 'restaged',
      (names) =>
        why === 'ends'
          ? `${names.worker} takes no more runs; the run waits for another one.`
          : `${names.worker} did not begin; the run waits for a worker again.`,
      { worker, attempt: assignment.epoch },
    );
    await restageRun(unit, run, { event, keepMetadata: false }, now);
  }
}
