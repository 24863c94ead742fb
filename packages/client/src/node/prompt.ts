/** Asks whoever sits at the terminal; a password is not shown as it is typed. */
import type { ReadStream } from 'node:tty';

export interface Prompt {
  line(question: string): Promise<string>;
  secret(question: string): Promise<string>;
}

/** Undefined where nobody can be asked: standard input is no terminal. Questions go to standard error. */
export function terminalPrompt(
  input: ReadStream = process.stdin,
  output: { write(text: string): unknown } = process.stderr,
): Prompt | undefined {
  if (!input.isTTY) return undefined;
  // What is typed ahead of a question belongs to the next one.
  const typed = { text: '' };
  return {
    async line(question) {
      output.write(question);
      return await readLine(input, typed);
    },
    async secret(question) {
      output.write(question);
      input.setRawMode(true);
      try {
        return await readLine(input, typed);
      } finally {
        input.setRawMode(false);
        output.write('\n');
      }
    },
  };
}

/** Reads until Enter or the end of input. In raw mode the keys are taken as they come, which terminals otherwise edit themselves. */
function readLine(input: ReadStream, typed: { text: string }): Promise<string> {
  return new Promise((resolve) => {
    let line = '';
    const finish = (rest: string) => {
      typed.text = rest;
      input.pause();
      input.removeListener('data', read);
      input.removeListener('end', end);
      resolve(line);
    };
    const end = () => finish('');
    const read = (keys: string | Buffer) => {
      const all = keys.toString();
      for (let at = 0; at < all.length; at += 1) {
        const key = all.charAt(at);
        if (key === '\r' || key === '\n' || key === '\u0004') return finish(all.slice(at + 1));
        if (key === '\u0003') interrupt(input);
        else if (key === '\u007f' || key === '\b') line = line.slice(0, -1);
        else line += key;
      }
    };
    input.setEncoding('utf8');
    input.on('data', read);
    input.once('end', end);
    input.resume();
    if (typed.text !== '') read(typed.text);
  });
}

/** What Ctrl-C does outside of raw mode. */
function interrupt(input: ReadStream): void {
  input.setRawMode(false);
  process.kill(process.pid, 'SIGINT');
}
