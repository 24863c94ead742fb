/** Whether a new worker could take a waiting run: never is one started that could not. */
import { waitsForQuota } from '@sheaf/domain';
import type { Amounts, Serving, WaitingRun, WorkerShape } from './waiting-run.ts';

export type Misfit = 'queue' | 'size' | 'owner' | 'quota' | 'images';

/** Why a worker of this shape would not help the run; undefined where it would. */
export function misfit(run: WaitingRun, shape: WorkerShape, serving: Serving): Misfit | undefined {
  if (!inQueue(run.queue, shape)) return 'queue';
  if (!isServed(run, serving)) return 'owner';
  // The quota counts runs on workers of others, as the administrator's are for everybody else.
  if (serving.everybody && run.ownerId !== serving.userId && waitsForQuota(run.reason)) return 'quota';
  if (run.image && !shape.images) return 'images';
  return covers(shape, run.asks) ? undefined : 'size';
}

/** As the server matches tags (execution.md §13.3). */
function inQueue(queue: string, { tag, tagExclusive }: WorkerShape): boolean {
  if (queue === '') return !(tagExclusive && tag !== null);
  const wanted = queue.startsWith('tag=') && queue.length > 4 ? queue.slice(4) : queue;
  return wanted === tag;
}

function isServed({ ownerId, controlled }: WaitingRun, { userId, everybody, members }: Serving): boolean {
  if (everybody || ownerId === userId) return true;
  return members.has(ownerId) && controlled;
}

export function covers(room: Amounts, asked: Amounts): boolean {
  return (
    room.cpus >= asked.cpus &&
    room.gpus >= asked.gpus &&
    room.memory >= asked.memory &&
    room.disk >= asked.disk
  );
}
