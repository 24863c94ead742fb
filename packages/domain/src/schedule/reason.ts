import { formatSize } from '../units/size.ts';
import type { Candidates } from './candidates.ts';
import { canRunImage, couldHaveRoom, hasRoom, mayTake, tagMatches, type WorkerView } from './pool.ts';
import type { StagedRun } from './plan-types.ts';
import type { ResourceRequest } from './request.ts';

/** How the sentence begins that says no worker qualifies; clients match it (execution.md §13.3). */
export const noWorkerText = "No worker can meet your bundle's resource requirements.";

const mostBrackets = 10;

/**
 * Why a run waits and what would let it start, for a run that no worker qualifies for (execution.md §13.3).
 *
 * @param mayUseCommon whether the owner has parallel runs left.
 */
export function waitingReason(
  run: StagedRun,
  request: ResourceRequest,
  candidates: Candidates,
  options: { mayUseCommon: boolean; rootUserId: string },
): string {
  const { near, common } = candidates;
  const all = [...near, ...common];
  if (all.length === 0) {
    return `${noWorkerText} No worker is connected that may take your runs: start one with cl-worker, or ask whoever runs this server.`;
  }
  const willing = all.filter((view) => mayTake(view, run, options.rootUserId));
  if (willing.length === 0) {
    return `${noWorkerText} The workers shared with you belong to users who may not control this run: grant their owner the permission "all", or start a worker of your own.`;
  }
  const suited = willing.filter((view) => canRunImage(view, request));
  if (suited.length === 0 || onlyImageIsMissing(willing, suited, request)) {
    return `${noWorkerText} The run names a Docker image, and every worker that could take it runs commands without images: start a worker with Docker, or run without --request-docker-image.`;
  }
  const allowed = suited.filter((view) => !run.avoid.has(view.worker.key));
  if (allowed.length === 0) {
    return `${noWorkerText} The run failed to start again and again on every worker that could take it; it is tried there again later. Starting another worker helps at once.`;
  }
  const isCommon = new Set(common);
  if (!options.mayUseCommon && allowed.some((view) => isCommon.has(view) && hasRoom(view, request))) {
    return 'You have as many runs on shared workers as your quota allows at once: this one starts when one of them ends, or on a worker of your own.';
  }
  return `${noWorkerText} Available resources: ${brackets(allowed, request)}${advice(allowed, request)}`;
}

function onlyImageIsMissing(
  willing: readonly WorkerView[],
  suited: readonly WorkerView[],
  request: ResourceRequest,
): boolean {
  const room = (view: WorkerView): boolean => couldHaveRoom(view, request);
  return !suited.some(room) && willing.some(room);
}

function advice(views: readonly WorkerView[], request: ResourceRequest): string {
  if (views.some((view) => couldHaveRoom(view, request))) {
    return '. The run starts when runs that are under way there have ended.';
  }
  if (!views.some((view) => tagMatches(view.worker, request.queue))) {
    return request.queue === ''
      ? '. Every worker is reserved for a queue: name one with --request-queue, or start another worker.'
      : '. No worker serves the queue: start one with that tag, or name another queue.';
  }
  return '. No worker is large enough: ask for less, or start one that has what is missing.';
}

/** One bracket a worker, leaving out those that another worker beats in everything. */
function brackets(views: readonly WorkerView[], request: ResourceRequest): string {
  const usable = views.filter((view) => view.runsLeft > 0 && tagMatches(view.worker, request.queue));
  const best = undominated(usable);
  const shown = views.filter((view) => !best.some((other) => dominates(other, view)));
  const texts = shown.slice(0, mostBrackets).map((view) => `[${shortfalls(view, request).join(', ')}]`);
  const more = shown.length - texts.length;
  return more > 0 ? `${texts.join(', ')} and ${more} more workers` : texts.join(', ');
}

/** The workers no other beats, one for each amount of resources: enough to tell whether any worker is beaten. */
function undominated(views: readonly WorkerView[]): WorkerView[] {
  const byAmount = new Map<string, WorkerView>();
  for (const view of views) {
    const { cpus, gpus, memory, disk } = view.free;
    byAmount.set(`${cpus}/${gpus}/${memory}/${disk ?? 0}`, view);
  }
  const best: WorkerView[] = [];
  for (const view of byAmount.values()) {
    if (!best.some((other) => dominates(other, view))) best.push(view);
  }
  return best;
}

function dominates({ free: one }: WorkerView, { free: other }: WorkerView): boolean {
  return (
    one.cpus > other.cpus &&
    one.gpus > other.gpus &&
    one.memory > other.memory &&
    (one.disk ?? 0) > (other.disk ?? 0)
  );
}

function shortfalls(view: WorkerView, request: ResourceRequest): string[] {
  const { free, worker } = view;
  const disk = free.disk ?? 0;
  const size = (bytes: number): string => formatSize(Math.max(0, bytes));
  const count = (value: number): number => Math.max(0, value);
  return [
    // Raw texts are compared, so `tag=x` is listed for a worker tagged `x` as well: the original's form.
    request.queue !== '' && request.queue !== worker.tag
      ? `${worker.tag ?? 'No'} queue (${request.queue} requested)`
      : '',
    free.cpus < request.cpus ? `${count(free.cpus)} CPUs (${request.cpus} requested)` : '',
    free.gpus < request.gpus ? `${count(free.gpus)} GPUs (${request.gpus} requested)` : '',
    free.memory < request.memory ? `${size(free.memory)} memory (${size(request.memory)} requested)` : '',
    disk < request.disk ? `${size(disk)} disk (${size(request.disk)} requested)` : '',
    view.freeSlots <= 0 ? '0 slots (1 requested)' : '',
  ].filter((text) => text !== '');
}
