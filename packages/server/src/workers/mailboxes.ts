/*
 * Where the answers of workers arrive: one mailbox for each question, named by a socket id (execution.md §5.3, §6.2, §6.3).
 * The question waits in this process; the row in the `socket` table says whose answers are accepted.
 */
import type { Readable } from 'node:stream';
import type { Clock } from '../services.ts';

export type WorkerAnswer =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'data'; readonly header: unknown; readonly body: Readable };

export interface Mailbox {
  /** The first answer; undefined when none came in the given milliseconds, or the signal fired. */
  answer(milliseconds: number, signal?: AbortSignal): Promise<WorkerAnswer | undefined>;
  /** Takes no more answers; one that nobody fetched is let go of. */
  close(): void;
}

interface OpenMailbox {
  answer: WorkerAnswer | undefined;
  wake: (() => void) | undefined;
}

export class Mailboxes {
  readonly #open = new Map<number, OpenMailbox>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  open(socketId: number): Mailbox {
    const box: OpenMailbox = { answer: undefined, wake: undefined };
    this.#open.set(socketId, box);
    return {
      answer: (milliseconds, signal) => this.#wait(box, milliseconds, signal),
      close: () => {
        this.#open.delete(socketId);
        if (box.answer?.kind === 'data') box.answer.body.destroy();
        box.answer = undefined;
        box.wake?.();
      },
    };
  }

  /** Answers whether anybody waits for it. Of two answers to one question the first counts. */
  deliver(socketId: number, answer: WorkerAnswer): boolean {
    const box = this.#open.get(socketId);
    if (box === undefined) return false;
    this.#open.delete(socketId);
    box.answer = answer;
    box.wake?.();
    return true;
  }

  #wait(
    box: OpenMailbox,
    milliseconds: number,
    signal: AbortSignal | undefined,
  ): Promise<WorkerAnswer | undefined> {
    return new Promise((resolve) => {
      const finish = () => {
        cancel();
        signal?.removeEventListener('abort', finish);
        box.wake = undefined;
        const { answer } = box;
        box.answer = undefined;
        resolve(answer);
      };
      const cancel = this.#clock.after(milliseconds, finish);
      box.wake = finish;
      signal?.addEventListener('abort', finish);
      if (box.answer !== undefined || signal?.aborted === true) finish();
    });
  }
}
