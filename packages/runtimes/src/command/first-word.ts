/** Waiting for a command to say that it runs, which whoever starts it lets it do through a pipe. */
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';

/** Milliseconds in which the word of a command that ran for a moment arrives after the end of its supervisor. */
const onItsWay = 1000;

/**
 * Whether anything came through the pipe. Whoever is left of something that was not finished may hold the pipe for ever: the
 * supervisor's end is the end of it.
 */
export function saysSomething(supervisor: ChildProcess, pipe: Readable): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let patience: NodeJS.Timeout | undefined;
    const answer = (said: boolean): void => {
      clearTimeout(patience);
      resolve(said);
    };
    pipe.once('data', () => answer(true));
    pipe.once('close', () => answer(false));
    pipe.once('error', reject);
    supervisor.once('error', reject);
    supervisor.once('exit', () => {
      patience = setTimeout(() => answer(false), onItsWay);
    });
  });
}
