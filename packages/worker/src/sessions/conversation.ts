/** Carries bytes between the channel of a session and its command, both ways, as fast as the slower of the two. */
import type { SessionChannel, SessionHandlers } from '@sheaf/client';
import type { ExecSession } from '@sheaf/runtimes';
import type { SessionControl, SessionStream } from '@sheaf/wire';
import type { Readable, Writable } from 'node:stream';

export class Conversation {
  /** What comes from the channel waits here until there is a command. */
  readonly handlers: SessionHandlers;
  readonly #gone = new AbortController();
  #begin: (exec: ExecSession | undefined) => void = () => undefined;
  readonly #begun = new Promise<ExecSession | undefined>((resolve) => {
    this.#begin = resolve;
  });

  #before: Promise<void> = Promise.resolve();

  constructor() {
    this.handlers = {
      data: (stream, bytes) =>
        this.#inTurn(async (exec) => {
          if (stream === 'stdin') await written(exec.stdin, bytes);
        }),
      control: (control) => {
        // Where the engine cannot be told, the session is of no use any more.
        this.#inTurn((exec) => this.#obey(exec, control)).catch(() => this.#gone.abort());
      },
      closed: () => {
        this.#gone.abort();
        this.#begin(undefined);
      },
    };
  }

  /** Returns when the command has ended and everything it said was sent, or when nobody listens any more and it was killed. */
  async carry(channel: SessionChannel, exec: ExecSession, signal: AbortSignal): Promise<void> {
    const over = AbortSignal.any([signal, this.#gone.signal]);
    const kill = () => void exec.close().catch(() => undefined);
    over.addEventListener('abort', kill, { once: true });
    if (over.aborted) kill();
    channel.tell({ type: 'started' });
    this.#begin(exec);
    try {
      const said = Promise.all([
        sendAll(channel, 'stdout', exec.stdout),
        sendAll(channel, 'stderr', exec.stderr),
      ]);
      const code = await exec.exit;
      await said;
      if (signal.aborted) {
        const message = 'The worker is being stopped, and the session with it; the run goes on.';
        channel.tell({ type: 'failed', code: 'worker-unreachable', message });
      } else channel.tell({ type: 'exit', code });
    } finally {
      over.removeEventListener('abort', kill);
      await exec.close();
    }
  }

  /** Everything that comes is done in its order: keys that are typed into a window of a new size are meant for that size. */
  #inTurn(work: (exec: ExecSession) => Promise<void>): Promise<void> {
    const turn = this.#before.then(async () => {
      const exec = await this.#begun;
      if (exec !== undefined) await work(exec);
    });
    this.#before = turn;
    return turn;
  }

  async #obey(exec: ExecSession, control: SessionControl): Promise<void> {
    if (control.type === 'end') exec.stdin.end();
    else if (control.type === 'resize') await exec.resize(control);
  }
}

async function sendAll(channel: SessionChannel, stream: SessionStream, source: Readable): Promise<void> {
  try {
    for await (const bytes of source as AsyncIterable<Buffer>) await channel.send(stream, bytes);
  } catch (error) {
    // Closed from our side; any other end is told by the exit of the command.
    if (!source.destroyed) throw error;
  }
}

/** Resolves when there is room for more; what the command does not take any more is lost, as in any pipeline. */
function written(stream: Writable, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableEnded) return resolve();
    stream.write(bytes, () => resolve());
  });
}
