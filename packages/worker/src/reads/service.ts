/** Answers reads, writes and network requests of the server: each on its own, each exactly once (execution.md §23). */
import { assertNever } from '@sheaf/domain';
import type { WorkerProtocol } from '@sheaf/client';
import type { NetcatMessage, ReadMessage, WriteMessage } from '@sheaf/wire';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { HeldRun } from '../run/held-run.ts';
import { isExecuting } from '../run/record.ts';
import { runtimeNamed, type Runtimes } from '../run/runtimes.ts';
import type { HeldRuns } from '../run/held-runs.ts';
import { netcat } from './netcat.ts';
import { notRunning, ReadProblem } from './read-problem.ts';
import { serveRead, type ReadableRun, type ReadAnswer } from './read.ts';
import { writeText } from './write.ts';

export interface ReadServiceOptions {
  readonly runs: Pick<HeldRuns, 'get'>;
  readonly runtimes: Runtimes;
  readonly protocol: Pick<WorkerProtocol, 'reply' | 'replyData'>;
  readonly signal: AbortSignal;
  readonly log: Log;
}

type Served = ReadMessage | NetcatMessage | WriteMessage;

export class ReadService {
  readonly #options: ReadServiceOptions;

  constructor(options: ReadServiceOptions) {
    this.#options = options;
  }

  /** Begins to serve; whatever goes wrong is answered or logged. */
  serve(message: Served): void {
    const { log } = this.#options;
    void this.#serve(message).catch((error: unknown) => {
      log.warn(
        { run: message.uuid, type: message.type, error: messageOf(error) },
        'a question could not be answered',
      );
    });
  }

  async #serve(message: Served): Promise<void> {
    const run = this.#options.runs.get(message.uuid);
    switch (message.type) {
      case 'write':
        if (run !== undefined) await writeText(readable(run), message.subpath, message.string);
        return;
      case 'read':
        await this.#answer(message.socket_id, run, (held, signal) =>
          serveRead(readable(held), message.path, message.read_args, signal),
        );
        return;
      case 'netcat':
        await this.#answer(message.socket_id, run, (held, signal) => this.#netcat(held, message, signal));
        return;
      default:
        assertNever(message);
    }
  }

  async #answer(
    socket: number,
    run: HeldRun | undefined,
    work: (run: HeldRun, signal: AbortSignal) => Promise<ReadAnswer>,
  ): Promise<void> {
    const { protocol, signal } = this.#options;
    // Ends with the answer: a reader that has left must not keep a file open.
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    try {
      const answer = await problemsAsAnswers(async () => {
        if (run === undefined) throw new ReadProblem(500, notRunning);
        return await work(run, either);
      });
      if (answer.kind === 'json') await protocol.reply(socket, answer.value, signal);
      else await protocol.replyData(socket, {}, answer.body, signal);
    } finally {
      over.abort(new Error('the answer has ended'));
    }
  }

  async #netcat(run: HeldRun, message: NetcatMessage, signal: AbortSignal): Promise<ReadAnswer> {
    const { runtime: name, handle } = run.record;
    const runtime = name === null ? undefined : runtimeNamed(this.#options.runtimes, name);
    const reach = async (port: number) =>
      handle === null || runtime === undefined ? undefined : await runtime.reach(handle, port);
    return { kind: 'data', body: await netcat(reach, message.port, bytesOf(message), signal) };
  }
}

/** One answer, whatever happens. */
async function problemsAsAnswers(work: () => Promise<ReadAnswer>): Promise<ReadAnswer> {
  try {
    return await work();
  } catch (error) {
    const status = error instanceof ReadProblem ? error.status : 500;
    return { kind: 'json', value: { error_code: status, error_message: messageOf(error) } };
  }
}

function readable(run: HeldRun): ReadableRun {
  return {
    uuid: run.uuid,
    directory: run.directory,
    keys: run.record.message.bundle.dependencies.map(({ child_path: key }) => key),
    commandEnded: run.commandEnded,
    isOver: !isExecuting(run.record.step),
  };
}

function bytesOf({ message, message_base64: encoded }: NetcatMessage): string | Uint8Array {
  return encoded === undefined ? message : Buffer.from(encoded, 'base64');
}
