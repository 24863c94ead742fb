import type { PlanInput, PlanWorker } from './plan-types.ts';
import type { ResourceRequest } from './request.ts';

/**
 * What is free on a worker while a pass goes on. There is one view of a worker for all users, so that a worker
 * shared by a group is not given away twice in one pass.
 */
export interface WorkerView {
  readonly worker: PlanWorker;
  readonly total: Resources;
  readonly free: Resources;
  /** Infinity for a worker that counts no slots. */
  freeSlots: number;
  runsLeft: number;
  assignedRuns: number;
  readonly tie: number;
}

/** Whose run it is and where it may go. */
export interface Asker {
  readonly ownerId: string;
  readonly avoid: ReadonlySet<string>;
  readonly controllers: ReadonlySet<string>;
}

interface Resources {
  cpus: number;
  gpus: number;
  memory: number;
  /** Undefined when the worker could not tell. Not used up by assignments: workers report it afresh. */
  disk: number | undefined;
}

export function viewsOf(input: Pick<PlanInput, 'workers' | 'tieBreak'>): WorkerView[] {
  return input.workers.map((worker) => {
    const cpus = amount(worker.cpus);
    const gpus = amount(worker.gpus);
    const memory = amount(worker.memory);
    const disk = worker.freeDisk === null ? undefined : amount(worker.freeDisk);
    const assignedRuns = amount(worker.assignedRuns);
    return {
      worker,
      total: { cpus, gpus, memory, disk },
      free: {
        cpus: cpus - amount(worker.cpusInUse),
        gpus: gpus - amount(worker.gpusInUse),
        memory: memory - amount(worker.memoryInUse),
        disk,
      },
      freeSlots: worker.slots === null ? Number.POSITIVE_INFINITY : amount(worker.slots) - assignedRuns,
      runsLeft: amount(worker.runsLeft),
      assignedRuns,
      tie: input.tieBreak(worker),
    };
  });
}

/** A number a worker did not give properly means there is nothing of it (execution.md §31.4). */
function amount(value: number): number {
  return Number.isFinite(value) && value > 0 ? value : 0;
}

/** Books a run on a worker for the rest of the pass. */
export function occupy(view: WorkerView, request: ResourceRequest): void {
  view.free.cpus -= request.cpus;
  view.free.gpus -= request.gpus;
  view.free.memory -= request.memory;
  view.freeSlots -= 1;
  view.runsLeft -= 1;
  view.assignedRuns += 1;
}

/** Whether the tag of a worker and the queue of a run go together (execution.md §13.3). */
export function tagMatches(worker: PlanWorker, queue: string): boolean {
  if (queue === '') return !(worker.tagExclusive && worker.tag !== null && worker.tag !== '');
  return worker.tag === (/^tag=([^]+)$/.exec(queue)?.[1] ?? queue);
}

function has(resources: Resources, request: ResourceRequest): boolean {
  return (
    resources.cpus >= request.cpus &&
    resources.gpus >= request.gpus &&
    resources.memory >= request.memory &&
    hasDisk(resources.disk, request)
  );
}

/** Every command writes something, so a disk that is known to be full is enough for none. */
function hasDisk(free: number | undefined, request: ResourceRequest): boolean {
  return free === undefined ? request.disk <= 0 : free > 0 && free >= request.disk;
}

/** Whether only its full disk keeps the worker from being large enough. */
export function isFull(view: WorkerView, request: ResourceRequest): boolean {
  const total = { ...view.total, disk: undefined };
  return view.total.disk === 0 && has(total, { ...request, disk: 0 });
}

/** Whether the run would find room now, were there no other reason against the worker. */
export function hasRoom(view: WorkerView, request: ResourceRequest): boolean {
  return (
    !view.worker.terminating &&
    view.runsLeft > 0 &&
    view.freeSlots > 0 &&
    tagMatches(view.worker, request.queue) &&
    has(view.free, request)
  );
}

/** Whether the run would find room once everything else on the worker has ended. */
export function couldHaveRoom(view: WorkerView, request: ResourceRequest): boolean {
  return (
    !view.worker.terminating &&
    view.runsLeft > 0 &&
    view.worker.slots !== 0 &&
    tagMatches(view.worker, request.queue) &&
    isLargeEnough(view, request)
  );
}

/** Whether the whole worker has what the run asks for. */
export function isLargeEnough(view: WorkerView, request: ResourceRequest): boolean {
  return has(view.total, request);
}

export function canRunImage(view: WorkerView, request: ResourceRequest): boolean {
  return view.worker.images || !request.imageRequested;
}

/** A worker's owner sees what the run sees, so only those who may control a run get it (execution.md §13.5). */
export function mayTake(view: WorkerView, run: Asker, rootUserId: string): boolean {
  const { ownerId } = view.worker;
  return ownerId === rootUserId || ownerId === run.ownerId || run.controllers.has(ownerId);
}
