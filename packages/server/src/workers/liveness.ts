/*
 * How long workers have been silent, by a clock that nobody can set. The time that is stored with a check-in is the wall clock's, for
 * people to read; here only counts when this process saw it change. So several servers may share a database, no clock of a worker
 * matters, and one of a server that jumps makes no worker look dead or alive (execution.md §31.3).
 */
import type { Clock } from '../services.ts';
import { workerKeyText, type WorkerKey } from './worker-key.ts';

interface Seen {
  /** What is stored about its last check-in. */
  readonly stored: number;
  /** When this process saw that first. */
  readonly at: number;
  /** It has changed under the eyes of this process. */
  readonly witnessed: boolean;
}

export class Liveness {
  readonly #clock: Pick<Clock, 'elapsed'>;
  readonly #longestStep: number;
  readonly #seen = new Map<string, Seen>();
  #counted = 0;
  #countedAt: number;

  /**
   * @param longestStep milliseconds that count at most between two calls of `tick`: a server that was stopped, or had no processor,
   * could not hear anybody meanwhile
   */
  constructor(clock: Pick<Clock, 'elapsed'>, longestStep: number) {
    this.#clock = clock;
    this.#longestStep = longestStep;
    this.#countedAt = clock.elapsed();
  }

  /** To be called again and again, more often than the longest step. */
  tick(): void {
    this.#counted = this.#time;
    this.#countedAt = this.#clock.elapsed();
  }

  /** The worker is here. @param stored what is stored about it now */
  heard(worker: WorkerKey, stored: number): void {
    this.#seen.set(workerKeyText(worker), { stored, at: this.#time, witnessed: true });
  }

  /** Forgets all others. */
  keepOnly(workers: readonly WorkerKey[]): void {
    const kept = new Set(workers.map(workerKeyText));
    for (const key of this.#seen.keys()) if (!kept.has(key)) this.#seen.delete(key);
  }

  /** Milliseconds for which this process knows that the worker has said nothing: none when it hears of it for the first time. */
  unheardFor(worker: WorkerKey, stored: number): number {
    return this.#time - this.#observe(worker, stored).at;
  }

  /** As good as it can be told, also of what was before this process: by the wall clock, then. @param now of the wall clock */
  silence(worker: WorkerKey, stored: number, now: number): number {
    const seen = this.#observe(worker, stored);
    return seen.witnessed ? this.#time - seen.at : Math.max(0, now - stored);
  }

  get #time(): number {
    return this.#counted + Math.min(this.#clock.elapsed() - this.#countedAt, this.#longestStep);
  }

  #observe(worker: WorkerKey, stored: number): Seen {
    const key = workerKeyText(worker);
    const before = this.#seen.get(key);
    if (before?.stored === stored) return before;
    const seen = { stored, at: this.#time, witnessed: before !== undefined };
    this.#seen.set(key, seen);
    return seen;
  }
}
