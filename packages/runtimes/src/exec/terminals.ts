/** Terminals for commands that are started inside runs, from util-linux's `script`. */
import { execFile, type ChildProcessWithoutNullStreams } from 'node:child_process';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { quoteShellWord } from '@sheaf/domain';
import type { TerminalSize } from '../port.ts';

const run = promisify(execFile);

/** On which a child says which terminal it has. */
export const terminalDescriptor = 3;

export const plainEnvironment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
};

/** The words that give a command line a terminal. */
export function withTerminal(words: readonly string[]): string[] {
  const line = words.map(quoteShellWord).join(' ');
  return ['script', '--quiet', '--return', '--echo', 'always', '--command', `exec ${line}`, '/dev/null'];
}

/** Undefined: it ended before it had one. `script` keeps the descriptor open, so that there is no end to wait for. */
export async function terminalName(child: ChildProcessWithoutNullStreams): Promise<string | undefined> {
  const pipe = child.stdio[terminalDescriptor] as Readable;
  let said = '';
  for await (const piece of pipe.setEncoding('utf8') as AsyncIterable<string>) {
    said += piece;
    if (said.includes('\n')) break;
  }
  return /^\/dev\/\S+$/m.exec(said)?.[0];
}

/** Nothing happens after its end. */
export async function setTerminalSize(terminal: string, { rows, columns }: TerminalSize): Promise<void> {
  try {
    await run('stty', ['-F', terminal, 'rows', String(rows), 'cols', String(columns)], {
      env: plainEnvironment,
    });
  } catch (error) {
    // It has ended, and its terminal with it.
    if (!(error instanceof Error && 'code' in error && error.code === 1)) throw error;
  }
}
