import type { WorkerView } from './pool.ts';
import type { PlanWorker, StagedRun } from './plan-types.ts';

/**
 * The worker that suits a run best (execution.md §13.4). In this order: the user's own and shared workers, which cost no
 * parallel run; tag-exclusive ones; few free GPUs, so that machines with GPUs are kept for runs that need them; fewest
 * bytes of dependencies to fetch; few free CPUs, which packs machines; few runs; the tie-breaker.
 *
 * @returns undefined for no workers.
 */
export function bestWorker(
  run: StagedRun,
  near: readonly WorkerView[],
  common: readonly WorkerView[],
): WorkerView | undefined {
  return best(run, near) ?? best(run, common);
}

function best(run: StagedRun, views: readonly WorkerView[]): WorkerView | undefined {
  let chosen: WorkerView | undefined;
  let chosenRank: readonly number[] = [];
  for (const view of views) {
    const rank = rankOf(run, view);
    if (chosen === undefined || comesBefore(rank, chosenRank)) {
      chosen = view;
      chosenRank = rank;
    }
  }
  return chosen;
}

function rankOf(run: StagedRun, view: WorkerView): readonly number[] {
  const { worker, free } = view;
  const present = presentDependencies(run, view);
  return [
    worker.tagExclusive ? 0 : 1,
    free.gpus > 0 ? free.gpus : worker.gpus > 0 ? 1 : 0,
    -present.bytes,
    -present.count,
    free.cpus,
    view.assignedRuns,
    view.tie,
  ];
}

function presentDependencies(run: StagedRun, { worker }: WorkerView): { bytes: number; count: number } {
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

function comesBefore(rank: readonly number[], other: readonly number[]): boolean {
  for (const [position, value] of rank.entries()) {
    const compared = other[position] ?? 0;
    if (value !== compared) return value < compared;
  }
  return false;
}
