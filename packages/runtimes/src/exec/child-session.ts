/** A session whose command is, or hangs on, a process that this one has started. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import type { ExecSession, TerminalSize } from '../port.ts';

export interface ChildSessionOptions {
  /** Kills what would outlive the process and its group. */
  readonly kill: () => Promise<void>;
  readonly resize: (size: TerminalSize) => Promise<void>;
}

export class ChildSession implements ExecSession {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exit: Promise<number>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #options: ChildSessionOptions;
  #closed: Promise<void> | undefined;
  #over = false;

  /** @param child leads a process group of its own. */
  constructor(child: ChildProcessWithoutNullStreams, options: ChildSessionOptions) {
    this.#child = child;
    this.#options = options;
    this.stdin = child.stdin;
    this.stdout = child.stdout;
    this.stderr = child.stderr;
    // What comes after the command has closed its input is lost, as in any pipeline.
    child.stdin.on('error', () => child.stdin.destroy());
    this.exit = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        this.#over = true;
        resolve(code ?? 128 + (signal ? constants.signals[signal] : 0));
      });
    });
    this.exit.catch(() => undefined);
  }

  async resize(size: TerminalSize): Promise<void> {
    if (this.#child.exitCode === null && size.rows > 0 && size.columns > 0) {
      await this.#options.resize(size);
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    if (this.#over) {
      return;
    }
    await this.#options.kill();
    const { pid, exitCode, signalCode } = this.#child;
    if (pid !== undefined && exitCode === null && signalCode === null) {
      process.kill(-pid, 'SIGKILL');
    }
    // Whoever still holds the other ends is not listened to any more.
    this.stdin.destroy();
    this.stdout.destroy();
    this.stderr.destroy();
    await this.exit;
  }
}
