/** Processes that left their parents, found by a variable of their environment that nobody else has. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { kill } from 'node:process';
import { isErrno } from '../errno.ts';

/** Ends them and all that they have started. Synchronous, so that it can be done while a process exits. */
export function endMarkedProcesses(name: string, value: string): void {
  // What starts another one meanwhile is found by the next look.
  for (let look = 0; look < 10; look += 1) {
    const found = withChildren(pids().filter((pid) => hasVariable(pid, `${name}=${value}`)));
    if (found.size === 0) return;
    for (const pid of found) {
      unlessGone(() => kill(pid, 'SIGKILL'));
    }
  }
}

export function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

function pids(): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => pid !== process.pid);
}

function hasVariable(pid: number, line: string): boolean {
  return (read(pid, 'environ') ?? '').split('\0').includes(line) && parentOf(pid) !== undefined;
}

function withChildren(roots: readonly number[]): Set<number> {
  const all = new Set(roots);
  const parents = pids().map((pid) => [pid, parentOf(pid)] as const);
  for (let before = -1; before !== all.size;) {
    before = all.size;
    for (const [pid, parent] of parents) if (parent !== undefined && all.has(parent)) all.add(pid);
  }
  return all;
}

/** Undefined for one that is gone, or has ended and is only waited for. */
function parentOf(pid: number): number | undefined {
  const [state, parent] = (read(pid, 'stat') ?? '').replace(/^.*\) /s, '').split(' ');
  return state === undefined || state === '' || state === 'Z' ? undefined : Number(parent);
}

function read(pid: number, file: string): string | undefined {
  return unlessGone(() => readFileSync(`/proc/${pid}/${file}`, 'utf8'));
}

function unlessGone<Answer>(ask: () => Answer): Answer | undefined {
  try {
    return ask();
  } catch (error) {
    if (['ESRCH', 'ENOENT', 'EACCES', 'EPERM'].some((code) => isErrno(error, code))) return undefined;
    throw error;
  }
}
