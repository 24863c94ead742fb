/** `--restart-after-seconds`: this process stays and starts the program afresh, in a child, so often. */
import { fork } from 'node:child_process';

/** How a child ends that wants to be started again. */
export const restartCode = 75;
const mark = 'SHEAF_WORKER_MANAGER_CHILD';

export function isChild(environment: NodeJS.ProcessEnv): boolean {
  return environment[mark] === '1';
}

/** Answers the exit code of the last child. Signals are handed on; a child whose parent is gone ends. */
export async function superviseRestarts(program: string, words: readonly string[]): Promise<number> {
  for (;;) {
    const child = fork(program, words, { env: { ...process.env, [mark]: '1' } });
    const hand = (signal: NodeJS.Signals) => child.kill(signal);
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, hand);
    const code = await new Promise<number>((resolve) => child.once('exit', (ended) => resolve(ended ?? 1)));
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.off(signal, hand);
    if (code !== restartCode) return code;
  }
}
