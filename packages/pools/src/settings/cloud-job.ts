/**
 * Names of jobs in queues that others use, too: the id of a worker begins with the key of its pool, so that pools of one queue are told
 * apart, and so that nothing is withdrawn that is none of ours (execution.md §27.4).
 */

const prefix = 'cl_worker_';
/** Eight digits of the pool, twelve of the worker. The original's have another length. */
const ours = /^cl_worker_[0-9a-f]{20}$/;

export function cloudJobName(workerId: string): string {
  return `${prefix}${workerId}`;
}

/** The worker of a job of this pool, `unknown` for a job that another program has started, or undefined for one of another pool. */
export function workerOfCloudJob(
  name: string,
  pool: string,
): { readonly workerId: string } | 'unknown' | undefined {
  if (!ours.test(name)) return 'unknown';
  const workerId = name.slice(prefix.length);
  return workerId.startsWith(pool) ? { workerId } : undefined;
}
