/* A program on a terminal of its own, as a person would have it: util-linux's `script` is the person's end. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from '@sheaf/testkit';

export class Terminal {
  said = '';
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<number | null>;

  /** @param line for a shell, whose terminal has 30 rows and 90 columns. */
  constructor(line: string, env: Record<string, string>) {
    const command = `stty rows 30 cols 90; tty; ${line}`;
    this.#child = spawn('script', ['-q', '-e', '-E', 'never', '-c', command, '/dev/null'], {
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], SHELL: '/bin/sh', TERM: 'xterm', ...env },
    });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.said += text;
    });
    this.#ended = once(this.#child, 'close').then(([code]) => code as number | null);
  }

  type(keys: string): void {
    this.#child.stdin.write(keys);
  }

  /** Waits until it has said something. */
  async says(what: string | RegExp): Promise<void> {
    const isThere = () => this.said.search(what) >= 0 || this.said.includes(String(what));
    await eventually(
      `${String(what)} on the terminal`,
      async () => (isThere() ? true : undefined),
      30_000,
    ).catch((error: unknown) => {
      throw new Error(`The terminal shows: ${this.said}`, { cause: error });
    });
  }

  async resize(rows: number, columns: number): Promise<void> {
    const name = /\/dev\/pts\/\d+/.exec(this.said)?.[0] ?? '';
    await once(spawn('stty', ['-F', name, 'rows', String(rows), 'cols', String(columns)]), 'close');
  }

  /** Its exit code. */
  ended(): Promise<number | null> {
    return this.#ended;
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}
