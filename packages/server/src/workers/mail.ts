/* What is queued for workers, looked up for many of them at once: a pass of the scheduler wakes hundreds. */
import { Gathering } from '../gathering.ts';
import type { Services } from '../services.ts';
import { messagesOfWorkers, queuedMessages, type QueuedMessage } from './message-queue.ts';
import { workerKeyText, type WorkerKey } from './worker-key.ts';

export class Mail {
  readonly #gathering: Gathering<WorkerKey, readonly QueuedMessage[]>;

  constructor({ database, clock, log }: Pick<Services, 'database' | 'clock' | 'log'>) {
    this.#gathering = new Gathering<WorkerKey, readonly QueuedMessage[]>({
      keys: (worker) => [workerKeyText(worker)],
      together: async (workers) => {
        const found = await messagesOfWorkers(database.queries, database.dialect, workers, clock.now());
        return workers.map((worker) => found.get(workerKeyText(worker)) ?? []);
      },
      alone: (worker) => queuedMessages(database.queries, worker, clock.now()),
      failed: (error) => log.debug({ err: error }, 'messages of workers are looked up one by one'),
    });
  }

  /** All messages of a worker that are still worth delivering, oldest first. */
  of(worker: WorkerKey): Promise<readonly QueuedMessage[]> {
    return this.#gathering.add(worker);
  }
}
