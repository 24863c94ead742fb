/** Asks the user on the terminal; texts go to stderr, so that captured output stays clean. */
import { openSync, closeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { ReadStream } from 'node:tty';
import type { Readable } from 'node:stream';
import type { Prompt } from './credentials.ts';

export function terminalPrompt(): Prompt {
  const note = (text: string) => void process.stderr.write(text);
  const lines = sharedLines(process.stdin);
  return {
    note,
    line(question) {
      note(question);
      return lines();
    },
    async secret(question) {
      note(question);
      const terminal = openTerminal();
      if (terminal === undefined) {
        note('(what you type will be shown) ');
        return lines();
      }
      try {
        return await readSecret(terminal.stream);
      } finally {
        terminal.close();
        note('\n');
      }
    },
  };
}

/** Reads lines one by one from a stream that several questions share. */
function sharedLines(stream: Readable): () => Promise<string> {
  let iterator: AsyncIterator<string> | undefined;
  return async () => {
    iterator ??= createInterface({ input: stream })[Symbol.asyncIterator]();
    const { value, done } = await iterator.next();
    return done === true ? '' : value;
  };
}

function openTerminal(): { stream: ReadStream; close: () => void } | undefined {
  try {
    const descriptor = openSync('/dev/tty', 'r');
    const stream = new ReadStream(descriptor);
    stream.setRawMode(true);
    return {
      stream,
      close() {
        stream.setRawMode(false);
        stream.destroy();
        closeQuietly(descriptor);
      },
    };
  } catch {
    return undefined;
  }
}

/** Destroying the stream may have closed the descriptor already. */
function closeQuietly(descriptor: number): void {
  try {
    closeSync(descriptor);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBADF') throw error;
  }
}

/** Raw mode delivers every key: Enter ends, Backspace takes one back, Ctrl-C and Ctrl-D do what they always do. */
function readSecret(stream: ReadStream): Promise<string> {
  return new Promise((resolve) => {
    let typed = '';
    stream.setEncoding('utf8');
    stream.on('data', (keys: string) => {
      for (const key of keys) {
        if (key === '\r' || key === '\n' || key === '\u0004') return resolve(typed);
        if (key === '\u0003') process.kill(process.pid, 'SIGINT');
        else if (key === '\u007f' || key === '\b') typed = typed.slice(0, -1);
        else typed += key;
      }
    });
  });
}
