/* Simulated workers in this process, and what they see of the server meanwhile. */
import { SimulatedWorker, type Heard, type WorkerShape } from './simulated-worker.ts';

export interface Given {
  readonly uuid: string;
  readonly epoch: number;
  /** When the check-in was sent, and when the run came with its answer: milliseconds since the epoch. */
  readonly sentAt: number;
  readonly receivedAt: number;
}

export interface Observed {
  /** Runs that became final. */
  ended: number;
  /** Milliseconds. */
  readonly starts: number[];
  readonly reports: number[];
  readonly given: Given[];
  readonly refused: string[];
}

/** Begins slowly: workers do not all come in the same moment. Between 0 and 1, a share of the first seconds. */
const arrivals = 3000;

export class Load implements Heard {
  readonly #workers: SimulatedWorker[];
  #shape: WorkerShape;
  #observed = nothingObserved();

  constructor(url: string, token: string, count: number, shape: WorkerShape) {
    this.#shape = shape;
    this.#workers = Array.from(
      { length: count },
      (_, number) => new SimulatedWorker(url, token, number, () => this.#shape, this),
    );
  }

  /** From now on, workers begin commands of this shape. */
  become(shape: WorkerShape): void {
    this.#shape = shape;
  }

  start(): void {
    for (const [number, worker] of this.#workers.entries()) {
      setTimeout(
        () => {
          worker.run().catch((error: unknown) => this.refused(String(error)));
        },
        (number / this.#workers.length) * arrivals,
      );
    }
  }

  /** All of them check in, in the same moment. Answers the milliseconds until the last one is answered. */
  async arriveTogether(): Promise<number> {
    const began = performance.now();
    await Promise.all(this.#workers.map((worker) => worker.arrive()));
    return performance.now() - began;
  }

  stop(): void {
    for (const worker of this.#workers) worker.stop();
  }

  /** What was seen since the last call. */
  take(): Observed {
    const observed = this.#observed;
    this.#observed = nothingObserved();
    return observed;
  }

  answered(kind: 'start' | 'report' | 'check-in', milliseconds: number): void {
    if (kind === 'start') this.#observed.starts.push(milliseconds);
    else if (kind === 'report') this.#observed.reports.push(milliseconds);
  }

  given(uuid: string, epoch: number, sentAt: number, receivedAt: number): void {
    this.#observed.given.push({ uuid, epoch, sentAt, receivedAt });
  }

  ended(): void {
    this.#observed.ended += 1;
  }

  refused(what: string): void {
    this.#observed.refused.push(what);
  }
}

function nothingObserved(): Observed {
  return { ended: 0, starts: [], reports: [], given: [], refused: [] };
}
