/** Starts commands beside those of runs, for people who want to look into them (execution.md §8.5 is what came before). */
import type { SessionChannel, SessionHandlers } from '@sheaf/client';
import { RuntimeError, type Runtime } from '@sheaf/runtimes';
import { SheafError, type SessionMessage } from '@sheaf/wire';
import { isRefusal, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { notRunning } from '../reads/read-problem.ts';
import type { HeldRun } from '../run/held-run.ts';
import type { HeldRuns } from '../run/held-runs.ts';
import { runtimeNamed, type Runtimes } from '../run/runtimes.ts';
import { Conversation } from './conversation.ts';

export interface SessionServiceOptions {
  readonly runs: Pick<HeldRuns, 'get'>;
  readonly runtimes: Runtimes;
  /** Connects to the server as its worker. */
  readonly connect: (socketId: number, handlers: SessionHandlers) => Promise<SessionChannel>;
  /** Fires when the worker ends: its sessions end with it, its runs do not. */
  readonly signal: AbortSignal;
  readonly log: Log;
}

const most = 128;

export class SessionService {
  readonly #options: SessionServiceOptions;
  readonly #sessions = new Set<Promise<void>>();

  constructor(options: SessionServiceOptions) {
    this.#options = options;
  }

  /** Begins to serve; whatever goes wrong is told to whoever asked, or logged. */
  open(message: SessionMessage): void {
    const { log } = this.#options;
    const session = this.#serve(message)
      .catch((error: unknown) => {
        // Whoever asked has left before we came.
        if (isRefusal(error))
          log.debug({ run: message.uuid, error: error.message }, 'a session is not wanted');
        else log.warn({ run: message.uuid, error: messageOf(error) }, 'a session could not be served');
      })
      .finally(() => this.#sessions.delete(session));
    this.#sessions.add(session);
  }

  /** Resolves when nothing that a session has started is left. */
  async settled(): Promise<void> {
    while (this.#sessions.size > 0) await Promise.all(this.#sessions);
  }

  async #serve(message: SessionMessage): Promise<void> {
    const { connect, signal, log, runs } = this.#options;
    const conversation = new Conversation();
    const channel = await connect(message.socket_id, conversation.handlers);
    const run = runs.get(message.uuid);
    try {
      const { runtime, handle } = this.#place(run);
      const terminal = message.terminal;
      const command = message.command.length > 0 ? message.command : shell;
      const environment = terminal === null ? {} : { TERM: message.term ?? 'xterm' };
      const exec = await runtime.exec(handle, { command, terminal, environment });
      log.info({ run: message.uuid, terminal: terminal !== null }, 'session opened');
      await conversation.carry(channel, exec, signal);
    } catch (error) {
      if (!(error instanceof RuntimeError || error instanceof SheafError)) throw error;
      const code = error instanceof SheafError ? error.code : 'action-refused';
      channel.tell({ type: 'failed', code, message: sentence(error.message) });
    } finally {
      await channel.close();
    }
  }

  /** @throws SheafError, in words for whoever asked */
  #place(run: HeldRun | undefined): {
    runtime: Runtime;
    handle: NonNullable<HeldRun['record']['handle']>;
  } {
    const { runtimes } = this.#options;
    if (this.#sessions.size > most) {
      throw new SheafError('action-refused', 'There are too many sessions at this worker already.');
    }
    const { runtime: name, handle, step } = run?.record ?? {};
    const runtime = name === null || name === undefined ? undefined : runtimeNamed(runtimes, name);
    if (runtime === undefined || handle === null || handle === undefined || step !== 'watch') {
      throw new SheafError('action-refused', notRunning);
    }
    if (!runtime.capabilities.exec) {
      throw new SheafError(
        'action-refused',
        `Commands cannot be started in this run: ${runtime.description}`,
      );
    }
    return { runtime, handle };
  }
}

/** The one people like better, where the image has it. */
const shell = ['/bin/sh', '-c', '[ -x /bin/bash ] && exec /bin/bash; exec /bin/sh'];

function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`;
}
