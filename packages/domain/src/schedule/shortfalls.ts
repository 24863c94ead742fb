/* What workers lack for a run, in the form that clients match: `[2 CPUs (3 requested)], []` (execution.md §13.3, §30). */
import { formatSize } from '../units/size.ts';
import { tagMatches, type WorkerView } from './pool.ts';
import type { ResourceRequest } from './request.ts';

const mostBrackets = 10;

/** One bracket a worker, leaving out those that another worker beats in everything. */
export function shortfallHint(views: readonly WorkerView[], request: ResourceRequest): string {
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
    disk < request.disk || free.disk === 0
      ? `${size(disk)} disk (${size(Math.max(1, request.disk))} requested)`
      : '',
    view.freeSlots <= 0 ? '0 slots (1 requested)' : '',
  ].filter((text) => text !== '');
}
