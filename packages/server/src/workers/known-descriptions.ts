/* What workers have said about themselves with their last check-ins, so that one who says the same again costs nothing. */
import type { CheckinRequest } from '@sheaf/wire';
import type { Events } from '../events/events.ts';
import type { Clock } from '../services.ts';
import { workerKeyText, type WorkerKey } from './worker-key.ts';

/** Milliseconds after which a worker of a group is written down anew, though it says the same: another server may have changed it. */
const remembered = 30_000;
const mostWorkers = 20_000;

export class KnownDescriptions {
  readonly #clock: Pick<Clock, 'elapsed'>;
  readonly #said = new Map<string, { readonly text: string; readonly at: number }>();
  readonly #stop: () => void;

  constructor(events: Events, clock: Pick<Clock, 'elapsed'>) {
    this.#clock = clock;
    // Groups come and go, and people with them.
    this.#stop = events.on('access.changed', () => this.#said.clear());
  }

  /** Whether the worker was written down with these very words lately. */
  isKnown(worker: WorkerKey, request: CheckinRequest): boolean {
    const said = this.#said.get(workerKeyText(worker));
    if (said === undefined || said.text !== textOf(request)) return false;
    const hasGroup = typeof request.group_name === 'string' && request.group_name !== '';
    return !hasGroup || said.at > this.#clock.elapsed() - remembered;
  }

  /** It is written down now, and committed. */
  note(worker: WorkerKey, request: CheckinRequest): void {
    const key = workerKeyText(worker);
    const now = this.#clock.elapsed();
    this.#said.delete(key);
    this.#said.set(key, { text: textOf(request), at: now });
    for (const [oldest] of this.#said) {
      if (this.#said.size <= mostWorkers) break;
      this.#said.delete(oldest);
    }
  }

  stop(): void {
    this.#stop();
  }
}

/** All that goes into the record of a worker and seldom changes. */
function textOf({
  runs: _runs,
  ack: _ack,
  hold: _hold,
  free_disk_bytes: _disk,
  ...rest
}: CheckinRequest): string {
  return JSON.stringify(rest);
}
