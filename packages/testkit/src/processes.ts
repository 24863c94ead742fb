/** Programs as children of a test: their output to wait for, and a certain end. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { kill } from 'node:process';
import { isErrno } from './errno.ts';

export interface ProcessOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** To run as, for a test that is root. */
  readonly uid?: number;
  readonly gid?: number;
  /** In a session of its own, so that `stop` ends its children too. Default true. */
  readonly detached?: boolean;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const running = new Set<StartedProcess>();
// Whatever a failed test left behind ends with the test run.
process.once('exit', () => {
  for (const child of running) {
    child.kill('SIGKILL');
  }
});

export class StartedProcess {
  readonly pid: number;
  /** Resolves when the process has ended and its output is complete. */
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #group: boolean;
  #output = '';
  #isOver = false;

  constructor(command: string, parameters: readonly string[], options: ProcessOptions = {}) {
    this.#name = [command, ...parameters].join(' ');
    this.#group = options.detached ?? true;
    this.#child = spawn(command, parameters, {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
      detached: this.#group,
    });
    running.add(this);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
        this.#child.emit('text');
      });
    }
    this.pid = this.#child.pid ?? 0;
    this.ended = this.#untilEnded();
    // Whoever waits hears of a failure to start; nobody has to.
    this.ended.catch(() => undefined);
  }

  /** Standard output and standard error so far, as they came. */
  get output(): string {
    return this.#output;
  }

  /**
   * Waits until the output matches, and answers the match.
   * @throws Error the process ended first, or the time (milliseconds) is over; with the output so far
   */
  async waitForOutput(pattern: RegExp, time = 30_000): Promise<RegExpExecArray> {
    const limit = AbortSignal.timeout(time);
    for (;;) {
      const match = pattern.exec(this.#output);
      if (match) {
        return match;
      }
      if (this.#isOver || limit.aborted) {
        const what = this.#isOver ? 'ended without' : `has not within ${time} ms`;
        throw new Error(`${this.#name} ${what} saying ${String(pattern)}:\n${this.#output}`);
      }
      const stopWaiting = new AbortController();
      try {
        const signal = AbortSignal.any([limit, stopWaiting.signal]);
        await Promise.race([once(this.#child, 'text', { signal }), this.ended]);
      } catch (error) {
        if (!limit.aborted) {
          throw error;
        }
      } finally {
        stopWaiting.abort();
      }
    }
  }

  /** Sends a signal to the process (and its children, in a session of its own). Nothing happens where it has ended. */
  kill(signal: NodeJS.Signals): void {
    try {
      if (!this.#isOver && this.pid > 0) {
        kill(this.#group ? -this.pid : this.pid, signal);
      }
    } catch (error) {
      if (!isErrno(error, 'ESRCH')) {
        throw error;
      }
    }
  }

  /** Asks the process to end, and makes it end after `patience` milliseconds. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', patience = 10_000): Promise<Ended> {
    this.kill(signal);
    const timer = setTimeout(() => this.kill('SIGKILL'), patience);
    try {
      return await this.ended;
    } finally {
      clearTimeout(timer);
    }
  }

  async #untilEnded(): Promise<Ended> {
    try {
      const [code, signal] = (await once(this.#child, 'close')) as [number | null, NodeJS.Signals | null];
      return { code, signal };
    } finally {
      this.#isOver = true;
      running.delete(this);
    }
  }
}

/** Starts a program. Its end is certain: with `stop`, or with the test run. */
export function startProcess(
  command: string,
  parameters: readonly string[],
  options: ProcessOptions = {},
): StartedProcess {
  return new StartedProcess(command, parameters, options);
}

/** Runs a program to its end and answers its output. @throws Error it ended with another status than 0 */
export async function runProcess(
  command: string,
  parameters: readonly string[],
  options: ProcessOptions = {},
): Promise<string> {
  const child = startProcess(command, parameters, options);
  const { code, signal } = await child.ended;
  if (code !== 0) {
    const end = signal ?? `status ${code}`;
    throw new Error(`${command} ${parameters.join(' ')} ended with ${end}:\n${child.output}`);
  }
  return child.output;
}
