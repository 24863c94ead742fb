/** What the workers of a pool turn out to be, where that is less than what was asked for. */
import type { PoolWorker, WorkerShape } from './waiting-run.ts';

/**
 * The shape of the next worker, as those that are there have shown it: a node may have less memory than it was asked for, or no engine
 * for images. Of several the largest counts, since the next may be like that one.
 */
export function learnShape(known: WorkerShape, workers: readonly PoolWorker[]): WorkerShape {
  if (workers.length === 0) return known;
  const most = (read: (worker: PoolWorker) => number) => Math.max(...workers.map(read));
  return {
    ...known,
    cpus: most(({ has }) => has.cpus),
    gpus: most(({ has }) => has.gpus),
    memory: most(({ has }) => has.memory),
    disk: most(({ has }) => has.disk),
    images: workers.some(({ images }) => images),
  };
}

/** The smaller of two shapes in everything: what was asked for bounds what was learned. */
export function withinAsked(learned: WorkerShape, asked: WorkerShape): WorkerShape {
  return {
    ...asked,
    cpus: Math.min(learned.cpus, asked.cpus),
    gpus: Math.min(learned.gpus, asked.gpus),
    memory: Math.min(learned.memory, asked.memory),
    disk: Math.min(learned.disk, asked.disk),
    images: learned.images && asked.images,
  };
}
