/** Deals with what the server wants; each message by itself, so that one that fails harms no other (execution.md §5). */
import { assertNever, killMarker } from '@sheaf/domain';
import {
  workerMessage,
  type PrefetchMessage,
  type RunMessage,
  type SessionMessage,
  type WorkerMessage,
} from '@sheaf/wire';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { HeldRuns } from '../run/held-runs.ts';
import type { Acknowledgements } from './acknowledgements.ts';

export interface MessageHandlerOptions {
  readonly runs: HeldRuns;
  readonly acknowledgements: Acknowledgements;
  /** Whether more runs may be started. */
  readonly acceptsRuns: () => boolean;
  /** Asks the server for leave to start a run. */
  readonly askLeave: (message: RunMessage) => Promise<boolean>;
  /** A run was granted. */
  readonly started: () => void;
  /** Serves reads, writes and network requests; never fails. */
  readonly serve: (message: Extract<WorkerMessage, { type: 'read' | 'netcat' | 'write' }>) => void;
  /** Starts a command beside a run's own; never fails. */
  readonly openSession: (message: SessionMessage) => void;
  /** Fetches what a waiting run will need, as far as there is time and room. */
  readonly prefetch: (message: PrefetchMessage) => void;
  readonly log: Log;
}

export class MessageHandler {
  readonly #options: MessageHandlerOptions;
  /** Runs being asked about, so that a second delivery waits for the first. */
  readonly #asking = new Map<string, Promise<boolean>>();

  constructor(options: MessageHandlerOptions) {
    this.#options = options;
  }

  /** Runs that may be this worker's in a moment. */
  get asking(): number {
    return this.#asking.size;
  }

  /** Returns when the next check-in may be sent. False: something is to be delivered again, but not at once. */
  async handle(messages: readonly unknown[]): Promise<boolean> {
    const outcomes = await Promise.all(messages.map((message) => this.#handleOne(message)));
    return outcomes.every(Boolean);
  }

  async #handleOne(raw: unknown): Promise<boolean> {
    const { acknowledgements, log } = this.#options;
    const parsed = workerMessage.safeParse(raw);
    if (!parsed.success) {
      log.warn({ problem: parsed.error.message }, 'a message that nobody understands is skipped');
      acknowledgements.done(messageId(raw));
      return true;
    }
    const message = parsed.data;
    // Idempotent by its run and epoch, not by its number: the server may say it again after a failure.
    if (message.type === 'run') return this.#run(message);
    if (acknowledgements.begin(message.message_id)) {
      try {
        this.#act(message);
      } catch (error) {
        log.error({ run: message.uuid, type: message.type, error: messageOf(error) }, 'a message failed');
      }
    }
    acknowledgements.done(message.message_id);
    return true;
  }

  #act(message: Exclude<WorkerMessage, RunMessage>): void {
    const { runs, serve, openSession, prefetch } = this.#options;
    switch (message.type) {
      case 'kill':
        runs.kill(message.uuid, message.kill_message ?? killMarker);
        return;
      case 'mark_finalized':
        runs.get(message.uuid)?.markFinalized();
        return;
      case 'read':
      case 'netcat':
      case 'write':
        serve(message);
        return;
      case 'session':
        openSession(message);
        return;
      case 'prefetch':
        prefetch(message);
        return;
      default:
        assertNever(message);
    }
  }

  async #run(message: RunMessage): Promise<boolean> {
    const { acknowledgements, acceptsRuns, log } = this.#options;
    const { uuid } = message.bundle;
    if (!acceptsRuns()) {
      // A run that was had and is not asked for goes back to the queue.
      acknowledgements.done(message.message_id);
      return true;
    }
    const asking = this.#asking.get(uuid) ?? this.#begin(message);
    this.#asking.set(uuid, asking);
    try {
      if (await asking) acknowledgements.done(message.message_id);
      return await asking;
    } catch (error) {
      log.warn({ run: uuid, error: messageOf(error) }, 'a run could not be accepted and is asked for again');
      return false;
    } finally {
      this.#asking.delete(uuid);
    }
  }

  /** @returns true when there is nothing more to do about the message. */
  async #begin(message: RunMessage): Promise<boolean> {
    const { runs, askLeave, started, log } = this.#options;
    const { uuid } = message.bundle;
    const epoch = message.epoch ?? 1;
    if (runs.holds(uuid, epoch)) return true;
    if (!(await askLeave(message))) {
      log.info({ run: uuid, epoch }, 'run not granted');
      return true;
    }
    log.info({ run: uuid, epoch }, 'run accepted');
    started();
    await runs.accept(message);
    return true;
  }
}

function messageId(raw: unknown): number | undefined {
  if (typeof raw !== 'object' || raw === null || !('message_id' in raw)) return undefined;
  return typeof raw.message_id === 'number' ? raw.message_id : undefined;
}
