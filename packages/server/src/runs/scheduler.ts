/*
 * Runs passes when something happened that can change a decision, at once and one at a time. A slow tick catches what no event
 * told; a counter shows whether it ever was needed.
 */
import { isFinal, type BundleState } from '@sheaf/domain';
import type { Services } from '../services.ts';
import { checkInputs } from './inputs-check.ts';
import { schedulerPass, type PassContext, type PassResult } from './pass.ts';
import { waitingChildren, type StagingCandidates } from './staging.ts';

const tickInterval = 10_000;
/** Reasons that did not fit into one pass are written this much later. */
const restInterval = 250;

export interface SchedulerCounters {
  passes: number;
  /** Passes of the safety tick that found something no event had told. */
  foundByTick: number;
}

export class Scheduler {
  readonly counters: SchedulerCounters = { passes: 0, foundByTick: 0 };
  readonly #services: Services;
  readonly #context: PassContext;
  readonly #onMakes: (uuids: readonly string[]) => void;
  readonly #stops: (() => void)[] = [];
  #created = new Set<string>();
  #finished = new Set<string>();
  #everything = true;
  #wanted = false;
  #running: Promise<void> | undefined;
  #stopped = true;
  /** Versions of bundles that passes themselves wrote: their events are no news. */
  #noted: ReadonlyMap<string, number> = new Map();
  #cancelTick = () => {};
  #cancelRest = () => {};

  constructor(services: Services, context: PassContext, onMakes: (uuids: readonly string[]) => void) {
    this.#services = services;
    this.#context = context;
    this.#onMakes = onMakes;
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
        this.request();
      }),
      events.on('worker.changed', () => this.request()),
      events.on('access.changed', () => this.request()),
    );
    this.#tick(tickInterval);
    this.request();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTick();
    this.#cancelRest();
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
    if (state === 'created') this.#created.add(uuid);
    else if (isFinal(state)) this.#finished.add(uuid);
    else if (state === 'staged') {
      if (this.#noted.get(uuid) === version) return;
    } else if (state !== 'worker_offline') return;
    this.request();
  }

  async #run(): Promise<void> {
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false;
      try {
        await this.#pass();
      } catch (error) {
        // Nothing was changed; the tick tries again, with everything.
        this.#everything = true;
        this.#services.log.error({ err: error }, 'a scheduler pass failed');
      }
    }
  }

  async #pass(): Promise<PassResult> {
    const { clock, unitOfWork } = this.#services;
    const candidates = await this.#candidates();
    const findings = await checkInputs(this.#services, this.#context.entries, candidates);
    this.counters.passes += 1;
    const result = await unitOfWork(async (unit) => {
      const passed = await schedulerPass(unit, this.#context, { candidates, findings }, clock.now());
      this.#noted = passed.noted;
      return passed;
    });
    this.#context.hints.note(result.hints, clock.now());
    this.#context.fairness.turnsTaken = result.turnsTaken;
    if (result.makes.length > 0) this.#onMakes(result.makes);
    if (result.unchecked.length > 0) {
      for (const uuid of result.unchecked) this.#created.add(uuid);
      this.#wanted = true;
    }
    this.#cancelRest();
    const again = result.moreReasons ? restInterval : result.changesIn;
    if (again !== undefined) this.#cancelRest = clock.after(again, () => this.request());
    return result;
  }

  async #candidates(): Promise<StagingCandidates> {
    const created = this.#created;
    const finished = this.#finished;
    const everything = this.#everything;
    this.#created = new Set();
    this.#finished = new Set();
    this.#everything = false;
    if (everything) return 'all';
    if (finished.size === 0) return created;
    const children = await waitingChildren(this.#services.database.queries, finished);
    return new Set([...created, ...children]);
  }

  #tick(milliseconds: number): void {
    this.#cancelTick = this.#services.clock.after(milliseconds, () => {
      if (this.#running === undefined && !this.#stopped) this.#running = this.#safetyPass();
      this.#tick(milliseconds);
    });
  }

  async #safetyPass(): Promise<void> {
    try {
      this.#everything = true;
      const { staged, failed, assigned } = await this.#pass();
      if (staged + failed + assigned > 0) {
        this.counters.foundByTick += 1;
        this.#services.log.warn(
          { staged, failed, assigned },
          'the safety tick found work that no event had told',
        );
      }
    } catch (error) {
      this.#services.log.error({ err: error }, 'a scheduler pass failed');
    } finally {
      this.#running = undefined;
      if (this.#wanted) this.request();
    }
  }
}
