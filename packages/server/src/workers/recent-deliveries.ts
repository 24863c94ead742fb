/*
 * What this process has just told workers. Answers can cross: a worker that acknowledges has one check-in held while it
 * reports over another connection, and must not be told the same by both.
 */
import type { WorkerMessage } from '@sheaf/wire';
import { workerKeyText, type WorkerKey } from './worker-key.ts';

const remembered = 5_000;

export class RecentDeliveries {
  readonly #messages = new Map<number, number>();
  readonly #derived = new Map<string, number>();

  /** Whether the message went into another answer a moment ago. */
  isOnItsWay(messageId: number, now: number): boolean {
    return (this.#messages.get(messageId) ?? Number.NEGATIVE_INFINITY) > now - remembered;
  }

  /** Whether all of these follow from states the worker was told about a moment ago. */
  isRepetition(worker: WorkerKey, derived: readonly WorkerMessage[], now: number): boolean {
    return derived.every(
      (message) => (this.#derived.get(keyOf(worker, message)) ?? Number.NEGATIVE_INFINITY) > now - remembered,
    );
  }

  note(worker: WorkerKey, messages: readonly WorkerMessage[], now: number): void {
    for (const message of messages) {
      if (message.message_id === undefined) this.#derived.set(keyOf(worker, message), now);
      else this.#messages.set(message.message_id, now);
    }
    forget(this.#messages, now);
    forget(this.#derived, now);
  }
}

function keyOf(worker: WorkerKey, message: WorkerMessage): string {
  const uuid = message.type === 'run' ? message.bundle.uuid : message.uuid;
  return `${workerKeyText(worker)}\n${message.type}\n${uuid}`;
}

/** Entries are in the order of their times, except for those noted again, which end the search a little early. */
function forget(times: Map<unknown, number>, now: number): void {
  for (const [key, time] of times) {
    if (time > now - remembered) return;
    times.delete(key);
  }
}
