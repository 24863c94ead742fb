import type { WorkerView } from './pool.ts';
import type { PlanDependency, PlanWorker } from './plan-types.ts';

interface Needing {
  readonly dependencies: readonly PlanDependency[];
}

/**
 * The worker that suits a run best (execution.md §13.4). In this order: the user's own and shared workers, which cost no
 * parallel run; tag-exclusive ones; few free GPUs, so that machines with GPUs are kept for runs that need them; fewest
 * bytes of dependencies to fetch; few free CPUs, which packs machines; few runs; the tie-breaker.
 *
 * @returns undefined for no workers.
 */
export function bestWorker(
  run: Needing,
  near: readonly WorkerView[],
  common: readonly WorkerView[],
): WorkerView | undefined {
  return best(run, near) ?? best(run, common);
}

function best(run: Needing, views: readonly WorkerView[]): WorkerView | undefined {
  let chosen: WorkerView | undefined;
  for (const view of views) {
    if (chosen === undefined || suitsBetter(run, view, chosen)) chosen = view;
  }
  return chosen;
}

function suitsBetter(run: Needing, one: WorkerView, other: WorkerView): boolean {
  if (one.worker.tagExclusive !== other.worker.tagExclusive) return one.worker.tagExclusive;
  const gpus = gpusToKeep(one) - gpusToKeep(other);
  if (gpus !== 0) return gpus < 0;
  if (run.dependencies.length > 0) {
    const present = presentDependencies(run, one);
    const elsewhere = presentDependencies(run, other);
    if (present.bytes !== elsewhere.bytes) return present.bytes > elsewhere.bytes;
    if (present.count !== elsewhere.count) return present.count > elsewhere.count;
  }
  if (one.free.cpus !== other.free.cpus) return one.free.cpus < other.free.cpus;
  if (one.assignedRuns !== other.assignedRuns) return one.assignedRuns < other.assignedRuns;
  return one.tie < other.tie;
}

function gpusToKeep({ worker, free }: WorkerView): number {
  return free.gpus > 0 ? free.gpus : worker.gpus > 0 ? 1 : 0;
}

function presentDependencies(run: Needing, { worker }: WorkerView): { bytes: number; count: number } {
  let bytes = 0;
  let count = 0;
  for (const dependency of run.dependencies) {
    if (!worker.sharedFileSystem && !isCached(worker, dependency.key)) continue;
    bytes += dependency.bytes;
    count += 1;
  }
  return { bytes, count };
}

function isCached(worker: PlanWorker, key: string): boolean {
  if (worker.cachedDependencies.has(key)) return true;
  if (!worker.cachesContents || worker.cachedDependencies.size === 0) return false;
  // `0x12/data/train` is inside `0x12/` and `0x12/data`.
  const start = key.indexOf('/') + 1;
  for (let slash = key.indexOf('/', start); slash !== -1; slash = key.indexOf('/', slash + 1)) {
    if (worker.cachedDependencies.has(key.slice(0, slash))) return true;
  }
  return worker.cachedDependencies.has(key.slice(0, start));
}
