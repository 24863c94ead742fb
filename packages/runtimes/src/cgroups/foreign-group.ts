/**
 * The control group of a run that another program puts processes into. It joins every hierarchy of version 1, not only those that
 * we set limits in, and so leaves a group in each.
 */
import { kill } from 'node:process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno } from '../files/errno.ts';
import type { GroupHost } from './host.ts';
import { groupRoot } from './membership.ts';
import { groupDirectoriesOf, removeGroup } from './run-group.ts';

/** The group as OCI runtimes name it: from the root of each hierarchy. */
export function pathInHierarchies(host: GroupHost, name: string, root: string = groupRoot): string {
  return host.version === 2
    ? join(host.base, name).slice(root.length)
    : join('/', basename(host.bases.memory), name);
}

/** Removes the group wherever it is, when its processes have ended. */
export async function removeEverywhere(host: GroupHost, name: string): Promise<void> {
  const [first = ''] = groupDirectoriesOf(host, name);
  if (host.version === 2) {
    await removeGroup(first);
    return;
  }
  const root = dirname(dirname(host.bases.memory));
  const path = pathInHierarchies(host, name);
  for (const entry of readdirSync(root, { withFileTypes: true })) {
    // Others are links to these.
    if (entry.isDirectory()) await removeGroup(join(root, entry.name, path));
  }
}

/** Process numbers; none where the group has gone. */
export function processesOf(host: GroupHost, name: string): number[] {
  const [directory = ''] = groupDirectoriesOf(host, name);
  try {
    const text = readFileSync(join(directory, 'cgroup.procs'), 'utf8');
    return text.split('\n').filter(Boolean).map(Number);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
}

/** Of the processes in a group, the one that is number 1 in a namespace of its own. */
export function firstOf(host: GroupHost, name: string): number | undefined {
  for (const pid of processesOf(host, name)) {
    const status = statusOf(pid);
    if (/^NSpid:(?:\s+\d+)*\s+1$/m.test(status)) return pid;
  }
  return undefined;
}

const killingTime = 30_000;

/** Kills every process of a group, again and again until none is left: they may start others meanwhile. */
export async function killGroup(host: GroupHost, name: string): Promise<void> {
  const deadline = performance.now() + killingTime;
  for (let pause = 1; performance.now() < deadline; pause = Math.min(2 * pause, 50)) {
    const pids = processesOf(host, name);
    if (pids.length === 0) return;
    for (const pid of pids) killOrGone(pid);
    await sleep(pause);
  }
}

function killOrGone(pid: number): void {
  try {
    kill(pid, 'SIGKILL');
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error;
  }
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return '';
    throw error;
  }
}
