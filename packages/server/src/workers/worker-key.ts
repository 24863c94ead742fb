/** Who a worker is: the pair of its owner and the id it chose (execution.md §1). Ids alone are not unique. */
export interface WorkerKey {
  readonly userId: string;
  readonly workerId: string;
}

/** One text for maps. */
export function workerKeyText(worker: WorkerKey): string {
  return `${worker.userId}\n${worker.workerId}`;
}
