/** The processes of a sandbox, seen from the host through /proc. */
import { kill } from 'node:process';
import { readdir, readFile } from 'node:fs/promises';
import { isErrno } from '../files/errno.ts';
import type { RunStatistics } from '../port.ts';
import { readOrUndefined, type RunPaths } from './record.ts';

interface ProcessState {
  readonly parent: number;
  /** Seconds, children that have ended included. */
  readonly user: number;
  readonly system: number;
  /** Bytes. */
  readonly resident: number;
}

const ticksPerSecond = 100;
const pageSize = 4096;

/** The process that is number 1 inside; undefined while there is none. */
export async function firstProcess(paths: RunPaths): Promise<number | undefined> {
  const info = await readOrUndefined(paths.info);
  const supervisor = await supervisorOf(paths);
  // JSON, but the tool writes it piece by piece, and the number comes first.
  const number = /"child-pid":\s*(?<pid>\d+)\D/.exec(info ?? '')?.groups?.['pid'];
  if (number === undefined || supervisor === undefined) {
    return undefined;
  }
  const pid = Number(number);
  // supervisor → tool → first process. Process numbers are used again: a stranger does not have these parents.
  const tool = (await processState(pid))?.parent;
  const parent = tool === undefined ? undefined : (await processState(tool))?.parent;
  return parent === supervisor ? pid : undefined;
}

/**
 * Kills everything in the sandbox: when its first process ends, the kernel ends all others before it lets it go. While there is
 * no first process yet, or no supervisor any more, the supervisor's process group goes, which holds whoever builds the sandbox.
 */
export async function killProcesses(paths: RunPaths): Promise<void> {
  const first = await firstProcess(paths);
  const supervisor = await supervisorOf(paths);
  const victim = first ?? (supervisor === undefined ? undefined : -supervisor);
  if (victim === undefined) {
    return;
  }
  try {
    kill(victim, 'SIGKILL');
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) {
      throw error;
    }
  }
}

/** Sum over the processes of a sandbox, where no control group counts. `memoryMax` is the sum now: the caller keeps the peak. */
export async function processUsage(paths: RunPaths): Promise<RunStatistics | undefined> {
  const first = await firstProcess(paths);
  if (first === undefined) {
    return undefined;
  }
  const states = await allProcesses();
  const inside = new Set([first]);
  const sum = { cpuUser: 0, cpuSystem: 0, memory: 0 };
  // Parents have smaller numbers than their children except after a wrap-around: repeat until nothing is added.
  for (let size = 0; size !== inside.size;) {
    size = inside.size;
    for (const [pid, state] of states) {
      if (inside.has(state.parent)) {
        inside.add(pid);
      }
    }
  }
  for (const pid of inside) {
    const state = states.get(pid);
    sum.cpuUser += state?.user ?? 0;
    sum.cpuSystem += state?.system ?? 0;
    sum.memory += state?.resident ?? 0;
  }
  return { ...sum, memoryMax: sum.memory };
}

async function supervisorOf(paths: RunPaths): Promise<number | undefined> {
  const text = await readOrUndefined(paths.supervisor);
  return text === undefined || text.trim() === '' ? undefined : Number.parseInt(text, 10);
}

async function allProcesses(): Promise<Map<number, ProcessState>> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const states = await Promise.all(names.map(async (pid) => [pid, await processState(pid)] as const));
  return new Map(states.flatMap(([pid, state]) => (state ? [[pid, state] as const] : [])));
}

async function processState(pid: number): Promise<ProcessState | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may contain anything: fields are counted from its end (state, parent, …).
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const field = (number: number): number => fields[number - 3] ?? 0;
    return {
      parent: field(4),
      user: (field(14) + field(16)) / ticksPerSecond,
      system: (field(15) + field(17)) / ticksPerSecond,
      resident: field(24) * pageSize,
    };
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) {
      return undefined;
    }
    throw error;
  }
}
