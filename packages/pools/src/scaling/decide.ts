/**
 * Whether a worker is to be started, and which jobs are not needed any more (execution.md §27.2). Decided from what really waits: each
 * run is given to a worker that is there or on its way, and a worker is started only for a run that nobody has room for.
 */
import type { PoolJob } from '../pool.ts';
import { place, type Room } from './placing.ts';
import type { PoolWorker, WaitingRun, WorkerShape } from './waiting-run.ts';

/** Milliseconds after its start in which the worker of a job has to have signed in, so that it is still reckoned with. */
const connectPatience = 10 * 60_000;

export interface Situation {
  /** That a worker of this shape can take. */
  readonly runs: readonly WaitingRun[];
  /** None of them ended. */
  readonly jobs: readonly PoolJob[];
  /** By the id of the worker. */
  readonly workers: ReadonlyMap<string, PoolWorker>;
  readonly shape: WorkerShape;
  readonly minimum: number;
  readonly maximum: number;
  /** Milliseconds since the epoch, as all times here. */
  readonly now: number;
  /** Not before then is the next worker started for a run. */
  readonly nextStart: number;
  /** Not before then is any worker started, since those before have failed. */
  readonly failurePause: number;
  /** Since when no run has needed a job that waits to start. */
  readonly unneededSince: ReadonlyMap<string, number>;
  /** Milliseconds that a waiting job may be unneeded. */
  readonly idle: number;
}

export interface Decision {
  readonly start: boolean;
  /** Ids of jobs to withdraw. */
  readonly stop: readonly string[];
  readonly unneededSince: ReadonlyMap<string, number>;
  /** One sentence without its full stop. */
  readonly because: string;
}

export function decide(situation: Situation): Decision {
  const { jobs, minimum, maximum, now } = situation;
  const { left, needed } = place(situation.runs, roomsOf(situation));
  const unneededSince = unneeded(situation, needed);
  // The newest first: an older one has waited longer for its turn.
  const overdue = jobs
    .filter(({ id }) => now - (unneededSince.get(id) ?? now) >= situation.idle && unneededSince.has(id))
    .map(({ id }) => id)
    .toReversed()
    .slice(0, Math.max(0, jobs.length - minimum));
  const answer = (start: boolean, because: string): Decision => ({
    start,
    stop: start ? [] : overdue,
    unneededSince,
    because,
  });
  const [first] = left;
  const wanted = jobs.length < minimum || first !== undefined;
  if (!wanted) return answer(false, nothingToDo(situation.runs.length, jobs.length));
  if (now < situation.failurePause) {
    return answer(
      false,
      `workers have failed, and the next is tried in ${seconds(situation.failurePause - now)}`,
    );
  }
  if (jobs.length < minimum)
    return answer(true, `workers there or on their way: ${jobs.length}, and at least ${minimum} are wanted`);
  if (first === undefined) return answer(false, '');
  const waiting = `${describe(first)}${left.length > 1 ? ` and ${left.length - 1} more` : ''}`;
  if (jobs.length >= maximum) {
    return answer(false, `${waiting} waits, and --max-workers allows no more than ${maximum}`);
  }
  if (now < situation.nextStart) {
    return answer(
      false,
      `${waiting} waits; the next worker is started in ${seconds(situation.nextStart - now)}`,
    );
  }
  return answer(true, `${waiting} waits`);
}

/**
 * Workers that are there first: they begin at once. One with runs has no room: if it had, the server would have given it the run that
 * waits. One without runs has, and one like it would be of no more use than it is.
 */
function roomsOf({ jobs, workers, shape, now }: Situation): Room[] {
  const there: Room[] = [];
  const coming: Room[] = [];
  for (const { id, workerId, phase, runningSince } of jobs) {
    const worker = workerId === undefined ? undefined : workers.get(workerId);
    if (worker !== undefined) {
      if (!worker.busy) there.push({ job: id, free: worker.has, runs: worker.runs, there: true });
    } else if (phase === 'waiting' || now - (runningSince ?? now) < connectPatience) {
      coming.push({ job: id, free: shape, runs: shape.runs, there: false });
    }
  }
  return [...there, ...coming];
}

/**
 * Of the jobs that wait to start: a worker that runs ends by itself, at a moment when it has no run. What another program has started
 * is not ours to withdraw.
 */
function unneeded(
  { jobs, unneededSince, now }: Situation,
  needed: ReadonlySet<string>,
): ReadonlyMap<string, number> {
  const idle = jobs.filter(
    ({ id, workerId, phase }) => workerId !== undefined && phase === 'waiting' && !needed.has(id),
  );
  return new Map(idle.map(({ id }) => [id, unneededSince.get(id) ?? now]));
}

function describe({ uuid, asks, queue }: WaitingRun): string {
  const gpus = asks.gpus === 0 ? '' : `, ${asks.gpus} GPUs`;
  const tag = queue === '' ? '' : `, queue ${queue}`;
  return `run ${uuid.slice(0, 8)} (${asks.cpus} CPUs${gpus}${tag})`;
}

function nothingToDo(runs: number, jobs: number): string {
  const workers = `workers there or on their way: ${jobs}`;
  if (runs === 0) return `no run waits that a new worker could take; ${workers}`;
  return `${runs} ${runs === 1 ? 'run waits, and has' : 'runs wait, and have'} room; ${workers}`;
}

function seconds(milliseconds: number): string {
  return `${Math.ceil(milliseconds / 1000)} s`;
}
