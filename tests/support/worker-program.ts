/* `bin/cl-worker` and `bin/worker.sh` as their users start them: with words and an environment, and nothing that listens to them. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { eventually } from '@sheaf/testkit';
import { root } from './programs.ts';

export interface StartOptions {
  /** `cl-worker` where nothing is said, or the path of another file. */
  readonly program?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly currentDirectory?: string;
  /** Whether something will be written to it. */
  readonly input?: boolean;
}

export class WorkerProgram {
  readonly child: ChildProcess;
  /** Resolves with the exit code; null where a signal ended it. */
  readonly ended: Promise<number | null>;
  stdout = '';
  stderr = '';

  constructor(words: readonly string[], options: StartOptions = {}) {
    const {
      program = join(root, 'bin/cl-worker'),
      environment = {},
      currentDirectory = root,
      input = false,
    } = options;
    this.child = spawn(program, words, {
      cwd: currentDirectory,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...environment },
      stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.ended = once(this.child, 'close').then(([code]) => code as number | null);
  }

  /** Waits for the line that start scripts wait for. */
  async started(): Promise<this> {
    const gone = this.ended.then((code) => {
      throw new Error(`The worker ended with ${code}:\n${this.stderr}`);
    });
    await Promise.race([
      gone,
      eventually('Worker started!', () =>
        Promise.resolve(/^Worker started!$/m.test(this.stdout) || undefined),
      ),
    ]);
    gone.catch(() => undefined);
    return this;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    return this.ended;
  }
}
