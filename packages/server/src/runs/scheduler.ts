/*
 * Runs passes when something happened that can change a decision, at once and one at a time. A slow tick catches what no event
 * told; a counter shows whether it ever was needed.
 */
import { isFinal, type BundleState } from '@sheaf/domain';
import type { Clock, Services } from '../services.ts';
import { checkInputs } from './inputs-check.ts';
import { schedulerPass, type PassContext, type PassResult } from './pass.ts';
import { overdue, waitingChildren, type StagingCandidates } from './staging.ts';

const tickInterval = 10_000;
/** New bundles that are looked at in one pass; the others come with the next. */
const mostStaged = 200;

/** What passes take of the machine, and for how long it is left to others: its own time, also where the services' stands still. */
type Pace = Pick<Clock, 'elapsed' | 'after'>;

/** Passes of fewer milliseconds follow each other at once. */
const restsAfter = 5;
const longestRest = 100;

export interface SchedulerCounters {
  passes: number;
  /** What they took, in milliseconds. */
  milliseconds: number;
  /** Passes of the safety tick that found something no event had told. */
  foundByTick: number;
}

export class Scheduler {
  readonly counters: SchedulerCounters = { passes: 0, milliseconds: 0, foundByTick: 0 };
  readonly #services: Services;
  readonly #context: PassContext;
  readonly #onMakes: (uuids: readonly string[]) => void;
  readonly #pace: Pace;
  readonly #stops: (() => void)[] = [];
  readonly #created = new Set<string>();
  #finished = new Set<string>();
  #everything = true;
  #wanted = false;
  #running: Promise<void> | undefined;
  #stopped = true;
  #cancelTick = () => {};
  #cancelLater = () => {};

  constructor(
    services: Services,
    context: PassContext,
    onMakes: (uuids: readonly string[]) => void,
    pace: Pace,
  ) {
    this.#services = services;
    this.#context = context;
    this.#onMakes = onMakes;
    this.#pace = pace;
  }

  start(): void {
    const { events } = this.#services;
    this.#stopped = false;
    this.#stops.push(
      events.on('bundle.changed', ({ uuid, state, version }) =>
        this.#bundleChanged(uuid, state as BundleState, version),
      ),
      events.on('bundle.deleted', ({ uuid }) => {
        this.#finished.add(uuid);
        this.#context.backlog.noteChange(uuid);
        this.request();
      }),
      events.on('worker.changed', (worker) => {
        this.#context.backlog.noteWorker(worker);
        this.request();
      }),
      events.on('access.changed', () => {
        this.#context.backlog.noteAccess();
        this.request();
      }),
    );
    this.#tick(tickInterval);
    this.request();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTick();
    this.#cancelLater();
    for (const stop of this.#stops.splice(0)) stop();
    await this.#running;
  }

  /** Asks for a pass; several requests while one runs make one more. */
  request(): void {
    this.#wanted = true;
    if (this.#running !== undefined || this.#stopped) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  #bundleChanged(uuid: string, state: BundleState, version: number): void {
    const { backlog } = this.#context;
    if (state === 'created') {
      this.#created.add(uuid);
      this.request();
    } else if (isFinal(state) || state === 'worker_offline') {
      if (isFinal(state)) this.#finished.add(uuid);
      backlog.noteChange(uuid);
      this.request();
    } else if (state === 'staged') {
      // A pass that stages a run has seen it.
      if (backlog.knows(uuid, version)) return;
      backlog.noteChange(uuid);
      this.request();
    } else if (state === 'starting' || !backlog.assigned.has(uuid)) {
      backlog.noteChange(uuid);
    }
  }

  async #run(): Promise<void> {
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false;
      const begun = this.#pace.elapsed();
      try {
        await this.#pass();
      } catch (error) {
        this.#failed(error);
      }
      await this.#rest(this.#pace.elapsed() - begun);
    }
  }

  /**
   * Long passes leave as much time to others as they took: each changes what runs wait for, which asks for the next, and a thousand
   * workers that come one by one would else be a thousand passes.
   * @param taken milliseconds
   */
  async #rest(taken: number): Promise<void> {
    if (taken < restsAfter || this.#stopped) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#pace.after(Math.min(taken, longestRest), resolve);
      this.#stops.push(() => {
        cancel();
        resolve();
      });
    });
    this.#stops.pop();
  }

  async #pass(): Promise<PassResult> {
    const { clock, unitOfWork } = this.#services;
    const begun = this.#pace.elapsed();
    const candidates = await this.#candidates();
    const findings = await checkInputs(this.#services, this.#context.entries, candidates);
    this.counters.passes += 1;
    let decidedAt = clock.elapsed();
    const result = await unitOfWork((unit) => {
      decidedAt = clock.elapsed();
      return schedulerPass(unit, this.#context, { candidates, findings }, clock.now());
    });
    this.counters.milliseconds += this.#pace.elapsed() - begun;
    this.#context.backlog.wasCommitted();
    this.#context.hints.note(result.hints, clock.now());
    this.#context.fairness.turnsTaken = result.turnsTaken;
    if (result.reasonOf !== undefined) this.#services.reasons.publish(result.reasonOf);
    if (result.makes.length > 0) this.#onMakes(result.makes);
    for (const uuid of result.unchecked) this.#created.add(uuid);
    if (result.more || this.#created.size > 0) this.#wanted = true;
    this.#cancelLater();
    if (result.changesIn !== undefined) {
      const left = result.changesIn - (clock.elapsed() - decidedAt);
      if (left > 0) this.#cancelLater = clock.after(left, () => this.request());
      else this.#wanted = true;
    }
    return result;
  }

  async #candidates(): Promise<StagingCandidates> {
    const { queries } = this.#services.database;
    const finished = this.#finished;
    const everything = this.#everything;
    this.#finished = new Set();
    this.#everything = false;
    for (const uuid of everything ? await overdue(queries) : []) this.#created.add(uuid);
    for (const uuid of finished.size > 0 ? await waitingChildren(queries, finished) : [])
      this.#created.add(uuid);
    const candidates = new Set<string>();
    for (const uuid of this.#created) {
      if (candidates.size === mostStaged) break;
      candidates.add(uuid);
      this.#created.delete(uuid);
    }
    return candidates;
  }

  #tick(milliseconds: number): void {
    this.#cancelTick = this.#services.clock.after(milliseconds, () => {
      if (this.#running === undefined && !this.#stopped) this.#running = this.#safetyPass();
      else this.#lookOver();
      this.#tick(milliseconds);
    });
  }

  /** Of passes that follow each other without a pause, the next does what the tick would do. */
  #lookOver(): void {
    this.#everything = true;
    this.#context.backlog.noteAnything();
    this.#wanted = true;
  }

  /** Nothing was changed; the tick tries again, with everything. */
  #failed(error: unknown): void {
    this.#everything = true;
    this.#context.backlog.noteAnything();
    this.#services.log.error({ err: error }, 'a scheduler pass failed');
  }

  async #safetyPass(): Promise<void> {
    try {
      this.#everything = true;
      this.#context.backlog.noteAnything();
      const { staged, failed, assigned } = await this.#pass();
      if (staged + failed + assigned > 0) {
        this.counters.foundByTick += 1;
        this.#services.log.warn(
          { staged, failed, assigned },
          'the safety tick found work that no event had told',
        );
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#running = undefined;
      if (this.#wanted) this.request();
    }
  }
}
