/** Looks at other processes of this machine. */
import { readFileSync } from 'node:fs';
import type { AncestorProcess } from './session-name.ts';

/** Reads /proc where there is one, else asks `ps`; undefined for a process that is gone or not ours to see. */
export function lookAtProcess(pid: number): AncestorProcess | undefined {
  return process.platform === 'linux' ? fromProc(pid) : fromPs(pid);
}

function fromProc(pid: number): AncestorProcess | undefined {
  try {
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    // The name in brackets may itself hold brackets and blanks: the last bracket ends it.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    return { pid, parent, program: commandLine.split('\0', 1)[0] ?? '' };
  } catch {
    return undefined;
  }
}

function fromPs(pid: number): AncestorProcess | undefined {
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const { stdout, status } = spawnSync('ps', ['-o', 'ppid=,command=', '-p', String(pid)], {
    encoding: 'utf8',
  });
  const found = status === 0 ? /^\s*(\d+)\s+(\S+)/.exec(stdout) : null;
  return found === null ? undefined : { pid, parent: Number(found[1]), program: found[2] ?? '' };
}

/** Whether a process of this machine is alive. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
