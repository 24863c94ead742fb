import { Heap } from './heap.ts';
import { hintsPerWorker, mostHints, type Hint } from './plan-types.ts';
import type { WorkerView } from './pool.ts';
import { bestWorker } from './preference.ts';
import { isEarlier, type Moment, type WaitingLine } from './remaining.ts';
import type { QueuedRun } from './backlog.ts';
import type { Hopes } from './hopes.ts';

interface Next {
  readonly line: WaitingLine;
  readonly hopes: Hopes;
  position: number;
  run: QueuedRun;
  moment: Moment;
}

/** Which worker will probably take the first runs of the queue: a few each, beyond which nobody can tell. */
export class Forecast {
  readonly hints: Hint[] = [];
  readonly #thoughtOf = new Map<WorkerView, number>();

  /** Looks at the first runs, in the order they will be served, that may hope for a worker. */
  look(waiting: readonly WaitingLine[], hopesOf: ReadonlyMap<WaitingLine, Hopes>): void {
    const nexts = waiting.flatMap((line): Next[] => {
      const hopes = hopesOf.get(line);
      if (hopes === undefined || hopes.pool === '') return [];
      return [{ line, hopes, position: 0, run: line.first, moment: line.moment }];
    });
    const heap = new Heap(nexts, (one, other) => isEarlier(one.moment, other.moment));
    for (let looked = 0; looked < mostHints; looked += 1) {
      const next = heap.first;
      if (next === undefined) return;
      this.#think(next.run, next.hopes);
      next.position += 1;
      const following = next.line.at(next.position);
      if (following === undefined) {
        heap.removeFirst();
        continue;
      }
      next.run = following.run;
      next.moment = following.moment;
      heap.settleFirst();
    }
  }

  #think(run: QueuedRun, { near, common }: Hopes): void {
    const isOpen = (view: WorkerView): boolean => (this.#thoughtOf.get(view) ?? 0) < hintsPerWorker;
    const likely = bestWorker(run, near.filter(isOpen), common.filter(isOpen));
    if (likely === undefined) return;
    this.#thoughtOf.set(likely, (this.#thoughtOf.get(likely) ?? 0) + 1);
    if (likely.worker.takesHints) this.hints.push({ run: run.uuid, worker: likely.worker.key });
  }
}
