/** What the decision looks at: runs that wait, workers that are there, and what a new worker would be (execution.md §27.2). */

export interface Amounts {
  readonly cpus: number;
  readonly gpus: number;
  /** Bytes. */
  readonly memory: number;
  /** Bytes; Infinity where nothing is known. */
  readonly disk: number;
}

export interface WaitingRun {
  readonly uuid: string;
  readonly ownerId: string;
  /** The user of this program may do everything with it, and so may their workers. */
  readonly controlled: boolean;
  /** What it asks for; disk 0 where it asks for none. */
  readonly asks: Amounts;
  /** As written in `request_queue`; empty for none. */
  readonly queue: string;
  /** It names an image. */
  readonly image: boolean;
  /** Why it waits, as the server says it. */
  readonly reason: string;
}

/** A worker of the pool that has signed in at the server. */
export interface PoolWorker {
  readonly workerId: string;
  /** All it has, whether in use or not. */
  readonly has: Amounts;
  readonly images: boolean;
  /** It executes runs. */
  readonly busy: boolean;
  /** Runs it will still take; 0 where it is about to end. */
  readonly runs: number;
}

/** What a new worker of the pool can do. */
export interface WorkerShape extends Amounts {
  readonly tag: string | null;
  readonly tagExclusive: boolean;
  /** Whether it executes runs that name an image. */
  readonly images: boolean;
  /** Runs it takes before it ends; Infinity for any number. */
  readonly runs: number;
}

/** Whose runs the workers execute. */
export interface Serving {
  readonly userId: string;
  /** Everybody's runs: the workers are the administrator's. */
  readonly everybody: boolean;
  /** Members of the group that shares them. */
  readonly members: ReadonlySet<string>;
}
