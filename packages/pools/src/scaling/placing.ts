/** Which waiting runs the workers that are there, and those that are on their way, will take. */
import { hasFailedEverywhere } from '@sheaf/domain';
import { covers } from './fits.ts';
import type { Amounts, WaitingRun } from './waiting-run.ts';

/** A worker, or a job that will become one. */
export interface Room {
  readonly job: string;
  readonly free: Amounts;
  /** How many runs it will still take. */
  readonly runs: number;
  /** The worker has signed in. */
  readonly there: boolean;
}

export interface Placing {
  /** Nobody has room for them. */
  readonly left: readonly WaitingRun[];
  /** Jobs that some run will need. */
  readonly needed: ReadonlySet<string>;
}

/** Each run goes to the first that has room, in the order given. */
export function place(runs: readonly WaitingRun[], rooms: readonly Room[]): Placing {
  const open = rooms.map(({ job, free, runs, there }) => ({ job, free, there, left: runs }));
  const left: WaitingRun[] = [];
  const needed = new Set<string>();
  for (const run of runs) {
    const room = open.find((one) => mayGo(run, one) && one.left > 0 && covers(one.free, run.asks));
    if (room === undefined) {
      left.push(run);
      continue;
    }
    needed.add(room.job);
    room.free = minus(room.free, run.asks);
    room.left -= 1;
  }
  return { left, needed };
}

/** Where it has failed on every worker there is, only another one helps. */
function mayGo(run: WaitingRun, { there }: Pick<Room, 'there'>): boolean {
  return !(there && hasFailedEverywhere(run.reason));
}

/** Disk is not booked: a server looks at what is free when it assigns a run (execution.md §13.2). */
function minus(free: Amounts, taken: Amounts): Amounts {
  return {
    cpus: free.cpus - taken.cpus,
    gpus: free.gpus - taken.gpus,
    memory: free.memory - taken.memory,
    disk: free.disk,
  };
}
