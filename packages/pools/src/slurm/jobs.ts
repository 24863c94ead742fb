/** Reads what squeue answers. */
import type { PoolJob } from '../pool.ts';

/** Fields of a line, with the only one that may hold anything last. */
export const jobFormat = '%i|%T|%V|%S|%r|%k';

/** Slurm has not started them, or will start them once more. */
const waiting = new Set([
  'PENDING',
  'REQUEUED',
  'REQUEUE_FED',
  'REQUEUE_HOLD',
  'SPECIAL_EXIT',
  'RESV_DEL_HOLD',
]);
/** How a job ends that was broken, or stood on something broken. The others were done, told to, or out of time. */
const failures = new Set(['FAILED', 'BOOT_FAIL', 'NODE_FAIL', 'OUT_OF_MEMORY', 'LAUNCH_FAILED']);
const ended = new Set([...failures, 'COMPLETED', 'CANCELLED', 'TIMEOUT', 'DEADLINE', 'PREEMPTED', 'REVOKED']);

/**
 * The comment that tells the jobs of one pool from others of the same name, and says which worker each is.
 * @param pool equal for all starts of one pool
 */
export function commentOf(workerId: string, pool: string): string {
  return `sheaf/${pool}/${workerId}`;
}

/** Jobs of another pool are left out; those without a comment were started by another program, and are counted. */
export function parseJobs(text: string, pool: string): PoolJob[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .flatMap((line) => {
      const [id = '', state = '', submitted = '', started = '', reason = '', ...comment] = line.split('|');
      const [, itsPool, workerId] = /^sheaf\/([^/]+)\/(.+)$/.exec(comment.join('|')) ?? [];
      if (itsPool !== undefined && itsPool !== pool) return [];
      return [jobOf({ id, state, submitted, started, reason }, workerId)];
    });
}

interface Line {
  readonly id: string;
  readonly state: string;
  readonly submitted: string;
  readonly started: string;
  readonly reason: string;
}

function jobOf({ id, state, submitted, started, reason }: Line, workerId: string | undefined): PoolJob {
  // The start of a job that waits is Slurm's guess.
  const phase = ended.has(state) ? 'ended' : waiting.has(state) ? 'waiting' : 'running';
  const why = reason === 'None' || reason === '' ? '' : reason;
  return {
    id,
    workerId,
    phase,
    submittedAt: timeOf(submitted),
    runningSince: phase === 'waiting' ? undefined : timeOf(started),
    note: phase === 'waiting' ? why : [state, why].filter((part) => part !== '').join(', '),
    failed: failures.has(state),
  };
}

function timeOf(seconds: string): number | undefined {
  return /^\d+$/.test(seconds) ? Number(seconds) * 1000 : undefined;
}
