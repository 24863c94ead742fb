/** The processes of a sandbox, seen from the host through /proc. */
import { kill } from 'node:process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { isMarked } from '../exec/marking.ts';
import { isErrno } from '../files/errno.ts';
import type { RunStatistics } from '../port.ts';
import { ignoringGone } from './gone.ts';
import { readOrUndefined, type RunPaths } from './record.ts';

interface ProcessState {
  readonly pid: number;
  readonly parent: number;
  /** In the kernel's ticks. */
  readonly startedAt: number;
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
  const info = readOrUndefined(paths.info);
  const supervisor = await supervisorOf(paths);
  if (supervisor === undefined) {
    return undefined;
  }
  // JSON, but the tool writes it piece by piece, and the number comes first.
  const number = /"child-pid":\s*(?<pid>\d+)\D/.exec(info ?? '')?.groups?.['pid'];
  if (number === undefined) {
    return firstBelow(supervisor);
  }
  const pid = Number(number);
  // supervisor → tool → first process. Process numbers are used again: a stranger does not have these parents.
  const tool = (await processState(pid))?.parent;
  const parent = tool === undefined ? undefined : (await processState(tool))?.parent;
  return parent === supervisor ? pid : undefined;
}

/** Where the tool does not say whom it has made: its child that is number 1 in a process space of its own. */
async function firstBelow(supervisor: number): Promise<number | undefined> {
  for (const tool of await childrenOf(supervisor)) {
    for (const child of await childrenOf(tool)) {
      const status = await readProcessFile(child, 'status');
      if (/^NSpid:(?:\s+\d+)+\s+1$/m.test(status ?? '')) return child;
    }
  }
  return undefined;
}

/** The kernel keeps them for each thread. */
async function childrenOf(pid: number): Promise<number[]> {
  const threads = await ignoringGone(() => readdir(`/proc/${pid}/task`));
  const lists = (threads ?? []).map((thread) => readProcessFile(pid, `task/${thread}/children`));
  return (await Promise.all(lists)).flatMap((list) => (list ?? '').split(' ').filter(Boolean).map(Number));
}

/**
 * Kills everything in the sandbox: when its first process ends, the kernel ends all others before it lets it go. While there is
 * no first process yet, or no supervisor any more, the supervisor goes, and whoever builds the sandbox.
 */
export async function killProcesses(paths: RunPaths): Promise<void> {
  const first = await firstProcess(paths);
  if (first !== undefined) {
    killOrGone(first);
    return;
  }
  const supervisor = await supervisorOf(paths);
  if (supervisor !== undefined) killOrGone(-supervisor);
  await killMakers(paths);
}

/**
 * Sum over the processes of a sandbox, where no control group counts. `memoryMax` is the sum now, or the peak of one process where
 * that is more: the caller keeps the highest.
 * @param firstCounts false: the first process is none of the run's, but somebody's who waits for it
 */
export async function processUsage(
  paths: RunPaths,
  firstCounts: boolean,
): Promise<RunStatistics | undefined> {
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
  if (!firstCounts) inside.delete(first);
  for (const pid of inside) {
    const state = states.get(pid);
    sum.cpuUser += state?.user ?? 0;
    sum.cpuSystem += state?.system ?? 0;
    sum.memory += state?.resident ?? 0;
  }
  const peaks = await Promise.all([...inside].map(peakOf));
  return { ...sum, memoryMax: Math.max(sum.memory, ...peaks) };
}

/** Kills those who have made a run, or are about to, with whatever of it is in their process group. */
export async function killMakers(paths: RunPaths): Promise<void> {
  const then = stateIn(readOrUndefined(paths.leader) ?? '');
  if (then === undefined) {
    return;
  }
  // Process numbers are used again, but not while they stand for a group with somebody in it.
  const now = await processState(then.pid);
  if (now === undefined || now.startedAt === then.startedAt) killOrGone(-then.pid);
}

async function supervisorOf(paths: RunPaths): Promise<number | undefined> {
  const text = readOrUndefined(paths.supervisor);
  return text === undefined || text.trim() === '' ? undefined : Number.parseInt(text, 10);
}

/** Bytes: the most memory a process has had. */
async function peakOf(pid: number): Promise<number> {
  const status = (await readProcessFile(pid, 'status')) ?? '';
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

async function allProcesses(): Promise<Map<number, ProcessState>> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const states = await Promise.all(names.map(async (pid) => [pid, await processState(pid)] as const));
  return new Map(states.flatMap(([pid, state]) => (state ? [[pid, state] as const] : [])));
}

async function processState(pid: number): Promise<ProcessState | undefined> {
  try {
    return stateIn(await readFile(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) {
      return undefined;
    }
    throw error;
  }
}

/** Undefined: this is no line of /proc. */
function stateIn(text: string): ProcessState | undefined {
  // The name in parentheses may contain anything: fields are counted from its end (state, parent, …).
  const end = text.lastIndexOf(')');
  if (end === -1) {
    return undefined;
  }
  const fields = text.slice(end + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3] ?? 0);
  return {
    pid: Number.parseInt(text, 10),
    parent: field(4),
    startedAt: field(22),
    user: (field(14) + field(16)) / ticksPerSecond,
    system: (field(15) + field(17)) / ticksPerSecond,
    resident: field(24) * pageSize,
  };
}

/** Numbers, as the host sees them, of all processes in the sandbox of a first process; those of namespaces inside are left out. */
export async function processesInside(first: number): Promise<number[]> {
  const space = await processSpace(first);
  if (space === undefined) {
    return [];
  }
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const spaces = await Promise.all(pids.map(processSpace));
  return pids.filter((_, index) => spaces[index] === space);
}

const rounds = 10;

/** Kills what carries a session's mark inside a sandbox; again and again, because it may start others meanwhile. */
export async function killMarkedInside(first: number, mark: string): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const victims: number[] = [];
    for (const pid of await processesInside(first)) {
      if (isMarked((await readProcessFile(pid, 'environ')) ?? '', mark)) victims.push(pid);
    }
    if (victims.length === 0) return;
    for (const pid of victims) killOrGone(pid);
  }
}

function killOrGone(pid: number): void {
  try {
    kill(pid, 'SIGKILL');
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) {
      throw error;
    }
  }
}

/** Undefined: there is no such process, or it is somebody else's. */
function processSpace(pid: number): Promise<string | undefined> {
  return ignoringGone(() => readlink(`/proc/${pid}/ns/pid`));
}

function readProcessFile(pid: number, name: string): Promise<string | undefined> {
  return ignoringGone(() => readFile(`/proc/${pid}/${name}`, 'utf8'));
}
