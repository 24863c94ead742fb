/** One program of the experiment: started, killed, paused, and started again as an operator's supervisor would do it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';

export interface ProgramOptions {
  readonly name: string;
  /** The whole command line, words that move it to another host included. */
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly log: string;
}

/** Milliseconds. */
const startedAgainAfter = 1000;

export class Program {
  /** When it was started last, in milliseconds since the epoch. */
  startedAt = 0;
  /** Exit codes and signals with which it has ended although nobody wanted it to. */
  readonly ownEnds: string[] = [];
  readonly #options: ProgramOptions;
  #child: ChildProcess | undefined;
  #wanted = false;

  constructor(options: ProgramOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get isRunning(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Starts it unless it runs; returns at once, because whoever speaks to it has to bear that it is not ready. */
  start(): void {
    this.#wanted = true;
    if (this.isRunning) return;
    const { words, environment, directory, log: file } = this.#options;
    const [program = '', ...rest] = words;
    const log = openSync(file, 'a');
    this.startedAt = Date.now();
    const child = spawn(program, rest, {
      cwd: directory,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...environment },
      stdio: ['ignore', log, log],
      // Out of reach of a Ctrl-C for the experiment, which ends it in its own order.
      detached: true,
    });
    this.#child = child;
    closeSync(log);
    // One that ends by itself, because the server is away just then, is started again.
    child.once('exit', (code, signal) => {
      if (!this.#wanted || this.#child !== child) return;
      this.ownEnds.push(String(code ?? signal));
      setTimeout(() => {
        if (this.#wanted) this.start();
      }, startedAgainAfter);
    });
  }

  /**
   * Returns when it is gone: with its exit code, undefined for one that a signal has ended or that did not run.
   * @param patience milliseconds after which it is killed
   */
  async end(signal: NodeJS.Signals, patience = 60_000): Promise<number | undefined> {
    this.#wanted = false;
    const child = this.#child;
    if (child === undefined || !this.isRunning) return undefined;
    const gone = once(child, 'exit') as Promise<[number | null]>;
    child.kill(signal);
    // What is paused hears of nothing but SIGKILL.
    if (signal !== 'SIGKILL') child.kill('SIGCONT');
    const lastResort = setTimeout(() => child.kill('SIGKILL'), patience);
    const [code] = await gone;
    clearTimeout(lastResort);
    return code ?? undefined;
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }
}
