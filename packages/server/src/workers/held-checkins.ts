/* Check-ins that wait for a message: at most one for each worker, woken by events (execution.md §4.5). */
import type { Events } from '../events/events.ts';
import type { Clock } from '../services.ts';
import { workerKeyText, type WorkerKey } from './worker-key.ts';

type WakeReason = 'message' | 'timeout' | 'replaced' | 'closed';

interface Held {
  /** What happened since the holder last looked. The end of a hold stays; a message is looked at once. */
  pending: Exclude<WakeReason, 'timeout'> | undefined;
  wake: ((reason: WakeReason) => void) | undefined;
}

export interface HeldCheckin {
  /** An older check-in of the worker was open until now. */
  readonly replaced: boolean;
  /** Returns when something was queued for the worker since the last call, or the time is over, or nobody listens any more. */
  wait(milliseconds: number): Promise<WakeReason>;
  release(): void;
}

export class HeldCheckins {
  readonly #held = new Map<string, Held>();
  readonly #clock: Clock;
  readonly #counted: (count: number) => void;
  readonly #stop: () => void;
  #stopped = false;

  /** @param counted told how many check-ins are open, with each that comes */
  constructor(events: Events, clock: Clock, counted: (count: number) => void = () => undefined) {
    this.#clock = clock;
    this.#counted = counted;
    this.#stop = events.on('message.queued', (event) => this.#wake(workerKeyText(event), 'message'));
  }

  /** Announces a check-in before it looks for messages. An older one of the same worker gives way. */
  hold(worker: WorkerKey, signal: AbortSignal): HeldCheckin {
    const key = workerKeyText(worker);
    const replaced = this.#held.has(key);
    this.#wake(key, 'replaced');
    const held: Held = { pending: this.#stopped ? 'closed' : undefined, wake: undefined };
    this.#held.set(key, held);
    this.#counted(this.#held.size);
    const closed = () => held.wake?.('closed');
    signal.addEventListener('abort', closed);
    return {
      replaced,
      wait: (milliseconds) => this.#wait(held, milliseconds, signal),
      release: () => {
        signal.removeEventListener('abort', closed);
        if (this.#held.get(key) === held) this.#held.delete(key);
      },
    };
  }

  isHeld(worker: WorkerKey): boolean {
    return this.#held.has(workerKeyText(worker));
  }

  /** Whether its check-in has been taken down, and waits for something to be told. */
  isWaiting(worker: WorkerKey): boolean {
    return this.#held.get(workerKeyText(worker))?.wake !== undefined;
  }

  /** How many check-ins are open now. */
  get count(): number {
    return this.#held.size;
  }

  /** Answers all that are held; later ones are not held any more. */
  stop(): void {
    this.#stop();
    this.#stopped = true;
    for (const key of this.#held.keys()) this.#wake(key, 'closed');
    this.#held.clear();
  }

  #wake(key: string, reason: Exclude<WakeReason, 'timeout'>): void {
    const held = this.#held.get(key);
    if (held === undefined) return;
    if (held.pending === undefined || held.pending === 'message') held.pending = reason;
    held.wake?.(reason);
  }

  #wait(held: Held, milliseconds: number, signal: AbortSignal): Promise<WakeReason> {
    return new Promise((resolve) => {
      const finish = (reason: WakeReason) => {
        cancel();
        held.wake = undefined;
        if (held.pending === 'message') held.pending = undefined;
        resolve(reason);
      };
      const cancel = this.#clock.after(milliseconds, () => finish('timeout'));
      held.wake = finish;
      if (signal.aborted) finish('closed');
      else if (held.pending !== undefined) finish(held.pending);
      else if (milliseconds <= 0) finish('timeout');
    });
  }
}
