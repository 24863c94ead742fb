/**
 * The loop: look, decide, start or withdraw one job, pause (execution.md §27.2). What it remembers only delays starts: everything that
 * decides whether a worker is there is read anew each time, from the pool and from the server, so that nothing is doubled when the
 * program ends in between and is started again.
 */
import { ConnectionError } from '@sheaf/client';
import { SheafError, type WorkerInfo } from '@sheaf/wire';
import type { Clock } from './clock.ts';
import { PoolError, type NewWorker, type Pool, type PoolJob } from './pool.ts';
import { decide } from './scaling/decide.ts';
import { countEnded, countRefusal, forgiven, noFailures, pauseUntil } from './scaling/failures.ts';
import { misfit } from './scaling/fits.ts';
import { learnShape, withinAsked } from './scaling/learning.ts';
import type { PoolWorker, WorkerShape } from './scaling/waiting-run.ts';
import type { Settings } from './settings/settings.ts';
import { workerName } from './settings/worker-command.ts';
import { isFresh, poolWorkerOf, type ServerView } from './waiting/server-view.ts';

export interface ManagerOptions {
  readonly settings: Pick<
    Settings,
    'minimum' | 'maximum' | 'sleepSeconds' | 'startPauseSeconds' | 'once' | 'verbose'
  > & { readonly worker: Pick<Settings['worker'], 'idleSeconds'> };
  readonly pool: Pool;
  readonly server: ServerView;
  /** What is asked for each worker. */
  readonly shape: WorkerShape;
  /** How the next worker is called, and who it signs in as. */
  readonly newWorker: () => NewWorker;
  /** Ends after more jobs have failed than this. */
  readonly mostFailed?: number | null;
  readonly clock: Clock;
  /** One line for people. */
  readonly say: (text: string) => void;
}

/** Runs that are looked at closely in one look; a worker is started for one at a time. */
const mostRuns = 500;
/** Milliseconds until runs are looked at again that the server has not thought about yet. */
const secondLook = 1000;

export class Manager {
  readonly #options: ManagerOptions;
  #learned: WorkerShape;
  #failures = noFailures;
  #first = true;
  #lastStart = 0;
  #unneededSince: ReadonlyMap<string, number> = new Map();
  #seen: ReadonlySet<string> = new Set();
  #known: ReadonlySet<string> = new Set();
  /** Workers started here that have not signed in yet. */
  readonly #expected = new Set<string>();
  #said = '';

  constructor(options: ManagerOptions) {
    this.#options = options;
    this.#learned = options.shape;
  }

  /**
   * Looks again and again, or once where the settings say so, until the signal fires.
   * @throws PoolError more jobs have failed than allowed. With `once`, also whatever was in the way.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { settings, clock } = this.#options;
    const pause = settings.sleepSeconds * 1000;
    while (!signal.aborted) {
      let next = pause;
      try {
        const isSeen = (await this.#look()) === 'done';
        if (settings.once && isSeen) return;
        if (!isSeen) next = Math.min(pause, secondLook);
      } catch (error) {
        const words = whatPasses(error);
        if (settings.once || words === undefined) throw error;
        this.#sayOnce(`${words} Trying again.`);
      }
      this.#refuseTooManyFailures();
      await clock.sleep(next, signal);
    }
  }

  async #look(): Promise<'done' | 'again'> {
    const { pool, server, settings, clock } = this.#options;
    // Runs last: one that is taken meanwhile is not seen waiting, and no worker is started for it.
    const all = await pool.list();
    const workers = workersOf(all, await server.workers());
    const now = clock.now();
    this.#remember(all, workers, now);
    const shape = this.#shape();
    const fitting = await server.waitingRuns(
      (run) => misfit(run, shape, server.serving) === undefined,
      mostRuns,
    );
    const runs = fitting.filter((run) => !isFresh(run) || this.#seen.has(run.uuid));
    this.#seen = new Set(fitting.map(({ uuid }) => uuid));
    const jobs = all.filter(({ phase }) => phase !== 'ended');
    // Also those that have ended at once.
    const started = Math.max(this.#lastStart, ...all.map(({ submittedAt }) => submittedAt ?? 0));
    const decision = decide({
      runs,
      jobs,
      workers,
      shape,
      minimum: settings.minimum,
      maximum: settings.maximum,
      now,
      nextStart: started + settings.startPauseSeconds * 1000,
      failurePause: pauseUntil(this.#failures, settings.startPauseSeconds * 1000),
      unneededSince: this.#unneededSince,
      idle: settings.worker.idleSeconds * 1000,
    });
    this.#unneededSince = decision.unneededSince;
    await this.#withdraw(jobs, decision.stop);
    if (decision.start) await this.#start(decision.because);
    else this.#sayState(jobs, decision.because);
    return runs.length < fitting.length ? 'again' : 'done';
  }

  async #start(because: string): Promise<void> {
    const { pool, newWorker, clock, say } = this.#options;
    const worker = newWorker();
    this.#lastStart = clock.now();
    try {
      const job = await pool.start(worker);
      this.#expected.add(worker.id);
      say(`Started job ${job} for the worker ${workerName(worker.id)}: ${because}.`);
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      this.#failures = countRefusal(this.#failures, error.message, this.#lastStart);
      if (this.#options.settings.once) throw error;
      say(`${error.message} ${pausing(this.#failures.inARow)}`);
    }
  }

  async #withdraw(jobs: readonly PoolJob[], ids: readonly string[]): Promise<void> {
    const { pool, say } = this.#options;
    for (const job of jobs.filter(({ id }) => ids.includes(id))) {
      await pool.stop(job);
      if (job.workerId !== undefined) this.#expected.delete(job.workerId);
      say(`Withdrew job ${job.id}, which had not started: no run waits for it any more.`);
    }
  }

  /** Takes in what has ended, and what the workers are that have come. */
  #remember(jobs: readonly PoolJob[], workers: ReadonlyMap<string, PoolWorker>, now: number): void {
    const before = this.#failures;
    for (const id of workers.keys()) this.#expected.delete(id);
    this.#failures = countEnded(before, jobs, now, { earlier: this.#first, expected: this.#expected });
    for (const { phase, workerId } of jobs) {
      if (phase === 'ended' && workerId !== undefined) this.#expected.delete(workerId);
    }
    this.#first = false;
    const came = [...workers.keys()].some((id) => !this.#known.has(id));
    if (came) this.#failures = forgiven(this.#failures);
    else if (this.#failures.inARow > before.inARow) {
      this.#options.say(`A job failed (${this.#failures.note}). ${pausing(this.#failures.inARow)}`);
    }
    this.#known = new Set(workers.keys());
    this.#learned = learnShape(this.#learned, [...workers.values()]);
  }

  #shape(): WorkerShape {
    const { shape } = this.#options;
    // Without bounds nobody wants runs to be told apart by their size.
    if (shape.cpus === Infinity) return { ...shape, images: shape.images && this.#learned.images };
    return withinAsked(this.#learned, shape);
  }

  #refuseTooManyFailures(): void {
    const { mostFailed } = this.#options;
    if (mostFailed === null || mostFailed === undefined || this.#failures.total <= mostFailed) return;
    throw new TooManyFailures(
      `${this.#failures.total} jobs have failed, more than --exit-after-num-failed ${mostFailed} allows. The last one, ${this.#failures.note}.`,
    );
  }

  #sayState(jobs: readonly PoolJob[], because: string): void {
    if (!this.#options.settings.verbose) return;
    const waiting = jobs.filter(({ phase, note }) => phase === 'waiting' && note !== '');
    const why = waiting.map(({ id, note }) => `job ${id} waits: ${note}`);
    this.#sayOnce(`${[because, ...why].join('; ')}.`);
  }

  /** What stays as it is is not said again and again. */
  #sayOnce(text: string): void {
    if (text !== this.#said) this.#options.say(text);
    this.#said = text;
  }
}

/** The set-up is broken, and whoever started the program wants it to end then. */
export class TooManyFailures extends Error {
  override readonly name = 'TooManyFailures';
}

/** The words for what will be otherwise at a later look; undefined for what stays in the way. */
function whatPasses(error: unknown): string | undefined {
  // Something in front of the server answers while it is away.
  if (error instanceof SyntaxError) return 'The server does not answer as a Sheaf or CodaLab server.';
  if (error instanceof SheafError) return error.code === 'not-authenticated' ? undefined : error.message;
  return error instanceof PoolError || error instanceof ConnectionError ? error.message : undefined;
}

function pausing(failures: number): string {
  return failures > 1
    ? `That makes ${failures} in a row: the next start is put off longer each time.`
    : 'Another one is tried after a pause.';
}

function workersOf(jobs: readonly PoolJob[], infos: readonly WorkerInfo[]): Map<string, PoolWorker> {
  const ids = new Map(
    jobs.flatMap(({ workerId }) =>
      workerId === undefined ? [] : [[workerName(workerId), workerId] as const],
    ),
  );
  return new Map(
    infos.flatMap((info) => {
      const id = ids.get(info.worker_id);
      return id === undefined ? [] : [[id, poolWorkerOf(info, id)] as const];
    }),
  );
}
