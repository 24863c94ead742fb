/** Where workers are started: what a scheduler of jobs, a cluster or a cloud has to be able to do. */

export interface Pool {
  /** For people: `Slurm partition main`. */
  readonly description: string;
  /** Answers how the job of the worker is called there. @throws PoolError it was refused, in words */
  start(worker: NewWorker): Promise<string>;
  /**
   * The jobs of this pool, whoever has started them: those that wait or run, and those that have ended lately, as far as is known.
   * @throws PoolError nothing is known now
   */
  list(): Promise<PoolJob[]>;
  /** Withdraws a job. One that has ended meanwhile is no error. @throws PoolError */
  stop(job: PoolJob): Promise<void>;
}

export interface NewWorker {
  /** Letters, digits, hyphens; unique. Its name on the server is made of it. */
  readonly id: string;
  /** The server's account of the worker. */
  readonly username: string;
  readonly password: string;
}

export interface PoolJob {
  readonly id: string;
  /** Undefined for jobs that an earlier program has started. */
  readonly workerId: string | undefined;
  readonly phase: 'waiting' | 'running' | 'ended';
  /** When it was handed over; milliseconds since the epoch, undefined where it is not known. */
  readonly submittedAt: number | undefined;
  /** Since when it runs. */
  readonly runningSince: number | undefined;
  /** In words for people: why it waits, or how it ended. */
  readonly note: string;
  /** It ended, and not because it was done or told to. */
  readonly failed: boolean;
}

/** Refused, or out of reach; the message is a sentence for people. */
export class PoolError extends Error {
  override readonly name = 'PoolError';
}
