/** Which control groups a process belongs to, as /proc tells it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../files/errno.ts';
import type { GroupDirectories } from './usage.ts';

export const groupRoot = '/sys/fs/cgroup';

/** Controller name → path within its hierarchy, from `/proc/<pid>/cgroup`; the unified hierarchy under the name ''. */
export function parseMembership(text: string): ReadonlyMap<string, string> {
  const result = new Map<string, string>();
  for (const line of text.trim().split('\n')) {
    const [, controllers = '', ...path] = line.split(':');
    for (const controller of controllers.split(',')) {
      result.set(controller, path.join(':'));
    }
  }
  return result;
}

/** Directories of a membership; in hybrid set-ups memory is still in version 1. */
export function groupDirectories(
  membership: ReadonlyMap<string, string>,
  root: string,
): GroupDirectories | undefined {
  const memory = membership.get('memory');
  const cpuacct = membership.get('cpuacct');
  if (memory !== undefined && cpuacct !== undefined) {
    return { version: 1, memory: join(root, 'memory', memory), cpuacct: join(root, 'cpuacct', cpuacct) };
  }
  const unified = membership.get('');
  return unified === undefined ? undefined : { version: 2, directory: join(root, unified) };
}

/** Undefined: there is no such process (here). */
export async function groupsOfProcess(pid: number): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    return parseMembership(await readFile(`/proc/${pid}/cgroup`, 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) {
      return undefined;
    }
    throw error;
  }
}
