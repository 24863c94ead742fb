/** Carries bytes between the channel of a session and its command, both ways, as fast as the slower of the two. */
import type { SessionChannel, SessionHandlers } from '@sheaf/client';
import type { ExecSession } from '@sheaf/runtimes';
import type { SessionStream, TerminalSize } from '@sheaf/wire';
import type { Readable, Writable } from 'node:stream';

type ConversationChannel = Pick<SessionChannel, 'send' | 'tell'>;

export class Conversation {
  /** What comes from the channel waits here until there is a command. */
  readonly handlers: SessionHandlers;
  readonly #gone = new AbortController();
  #begin: (exec: ExecSession | undefined) => void = () => undefined;
  readonly #begun = new Promise<ExecSession | undefined>((resolve) => {
    this.#begin = resolve;
  });

  #before: Promise<void> = Promise.resolve();
  /** The last thing that waits, where that is a change of size: one that follows takes its place. */
  #nextSize: { size: TerminalSize } | undefined;
  #inputEnds = false;

  constructor() {
    this.handlers = {
      data: (stream, bytes) => {
        this.#nextSize = undefined;
        return this.#inTurn(async (exec) => {
          if (stream === 'stdin') await written(exec.stdin, bytes);
        });
      },
      control: (control) => {
        if (control.type === 'resize') this.#resize(control);
        else if (control.type === 'end') this.#endInput();
      },
      closed: () => {
        this.#gone.abort();
        this.#begin(undefined);
      },
    };
  }

  /** Returns when the command has ended and everything it said was sent, or when nobody listens any more and it was killed. */
  async carry(channel: ConversationChannel, exec: ExecSession, signal: AbortSignal): Promise<void> {
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
      // Both at once, so that neither can fail unheard.
      const [code] = await Promise.all([exec.exit, said]);
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
    // Whoever asked for it hears how it went; what comes after is done all the same.
    this.#before = turn.catch(() => undefined);
    return turn;
  }

  #resize(size: TerminalSize): void {
    if (this.#nextSize !== undefined) {
      this.#nextSize.size = size;
      return;
    }
    const next = { size };
    this.#nextSize = next;
    this.#control(async (exec) => {
      if (this.#nextSize === next) this.#nextSize = undefined;
      await exec.resize(next.size);
    });
  }

  #endInput(): void {
    if (this.#inputEnds) return;
    this.#inputEnds = true;
    this.#nextSize = undefined;
    this.#control(async (exec) => void exec.stdin.end());
  }

  /** Where the command cannot be told, the session is of no use any more. */
  #control(work: (exec: ExecSession) => Promise<void>): void {
    this.#inTurn(work).catch(() => this.#gone.abort());
  }
}

async function sendAll(channel: ConversationChannel, stream: SessionStream, source: Readable): Promise<void> {
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
