/**
 * The control group of one run: its limits, how to join it, and how to take it away. No disk is behind these files: each call is
 * answered sooner than another thread would wake up to make it.
 */
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno } from '../files/errno.ts';
import { inheritCpuset, version1Controllers, type GroupHost } from './host.ts';
import type { GroupDirectories } from './usage.ts';

export interface RunLimits {
  /** Bytes; 0: no limit. */
  readonly memory: number;
  /** Empty: any. */
  readonly cpuset: readonly number[];
  readonly processes: number;
}

/** Directories of a run's group: one for version 2, one a controller for version 1. */
export function groupDirectoriesOf(host: GroupHost, name: string): readonly string[] {
  return host.version === 2
    ? [join(host.base, name)]
    : version1Controllers.map((controller) => join(host.bases[controller], name));
}

export function usageDirectoriesOf(host: GroupHost, name: string): GroupDirectories {
  return host.version === 2
    ? { version: 2, directory: join(host.base, name) }
    : { version: 1, memory: join(host.bases.memory, name), cpuacct: join(host.bases.cpuacct, name) };
}

/**
 * Files through which a process that has only one thread joins: it writes 0 into each, which means itself. With version 1 the thread
 * joins, not the process: otherwise the kernel would first wait until all processors have seen that no process may fork meanwhile
 * (4 to 23 ms measured, without it 0.1 ms). Version 2 moves whole processes only.
 */
export function joiningFilesOf(host: GroupHost, name: string): readonly string[] {
  const file = host.version === 2 ? 'cgroup.procs' : 'tasks';
  return groupDirectoriesOf(host, name).map((directory) => join(directory, file));
}

/** Makes the group; one that a crash left behind under this name is used again. */
export function createRunGroup(host: GroupHost, name: string, limits: RunLimits): void {
  for (const directory of groupDirectoriesOf(host, name)) {
    mkdirSync(directory, { recursive: true });
  }
  for (const [file, value] of limitFiles(host, name, limits)) {
    writeFileSync(file, value);
  }
  if (host.version === 1) {
    inheritCpuset(join(host.bases.cpuset, name));
  }
}

function limitFiles(host: GroupHost, name: string, limits: RunLimits): (readonly [string, string])[] {
  const places =
    host.version === 2
      ? { memory: host.base, cpuset: host.base, pids: host.base, memoryFile: 'memory.max' }
      : { ...host.bases, memoryFile: 'memory.limit_in_bytes' };
  const files: (readonly [string, string])[] = [
    [join(places.pids, name, 'pids.max'), String(limits.processes)],
  ];
  if (limits.memory > 0) {
    files.push([join(places.memory, name, places.memoryFile), String(limits.memory)]);
  }
  if (limits.cpuset.length > 0) {
    files.push([join(places.cpuset, name, 'cpuset.cpus'), limits.cpuset.join(',')]);
  }
  return files;
}

const removalTime = 5_000;

/** Removes the group of a run that has ended. */
export async function removeRunGroup(host: GroupHost, name: string): Promise<void> {
  for (const directory of groupDirectoriesOf(host, name)) {
    await removeGroup(directory);
  }
}

/** Removes a group, if it is there. The last process of a group is gone a moment before the kernel lets the group go. */
export async function removeGroup(directory: string): Promise<void> {
  const deadline = Date.now() + removalTime;
  for (;;) {
    try {
      rmdirSync(directory);
      return;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) {
        return;
      }
      if (!isErrno(error, 'EBUSY') || Date.now() > deadline) {
        throw error;
      }
      await sleep(5);
    }
  }
}
