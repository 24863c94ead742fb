/**
 * What a control group uses, read from its files: both generations of the kernel's interface. No disk is behind them: a file is read
 * sooner than another thread would wake up to do it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../files/errno.ts';
import type { RunStatistics } from '../port.ts';

/** Directories of one group: one of version 2, or the controllers of version 1 that we read. */
export type GroupDirectories =
  | { readonly version: 2; readonly directory: string }
  | { readonly version: 1; readonly memory: string; readonly cpuacct: string };

/** USER_HZ of the version 1 files; 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** Undefined: the group has gone. */
export function groupUsage(group: GroupDirectories): RunStatistics | undefined {
  try {
    return group.version === 2 ? usageV2(group.directory) : usageV1(group.memory, group.cpuacct);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) {
      return undefined;
    }
    throw error;
  }
}

function usageV2(directory: string): RunStatistics {
  const [current, statistics, cpu, peak] = [
    readNumber(join(directory, 'memory.current')),
    readTable(join(directory, 'memory.stat')),
    processorTimeV2(directory),
    readPeak(join(directory, 'memory.peak')),
  ];
  const memory = Math.max(0, current - (statistics.get('inactive_file') ?? 0));
  return { ...cpu, memory, memoryMax: peak ?? current };
}

type ProcessorTime = Pick<RunStatistics, 'cpuUser' | 'cpuSystem'>;

/** Counted in every group of version 2, whatever controllers it has. */
export function processorTimeV2(directory: string): ProcessorTime {
  const cpu = readTable(join(directory, 'cpu.stat'));
  return { cpuUser: (cpu.get('user_usec') ?? 0) / 1e6, cpuSystem: (cpu.get('system_usec') ?? 0) / 1e6 };
}

/** The two kinds are counted in hundredths of a second; their sum is known to the nanosecond. */
function processorTimeV1(directory: string): ProcessorTime {
  const [kinds, nanoseconds] = [
    readTable(join(directory, 'cpuacct.stat')),
    readNumber(join(directory, 'cpuacct.usage')),
  ];
  const user = (kinds.get('user') ?? 0) / ticksPerSecond;
  const system = (kinds.get('system') ?? 0) / ticksPerSecond;
  const rest = Math.max(0, nanoseconds / 1e9 - user - system);
  // What no tick has caught yet goes where most ticks went.
  return user >= system
    ? { cpuUser: user + rest, cpuSystem: system }
    : { cpuUser: user, cpuSystem: system + rest };
}

function usageV1(memoryDirectory: string, cpuDirectory: string): RunStatistics {
  const [current, peak, statistics, cpu] = [
    readNumber(join(memoryDirectory, 'memory.usage_in_bytes')),
    readNumber(join(memoryDirectory, 'memory.max_usage_in_bytes')),
    readTable(join(memoryDirectory, 'memory.stat')),
    processorTimeV1(cpuDirectory),
  ];
  return {
    ...cpu,
    memory: Math.max(0, current - (statistics.get('total_inactive_file') ?? 0)),
    memoryMax: peak,
  };
}

/** How often the kernel killed a process of the group for want of memory. */
export function outOfMemoryKills(group: GroupDirectories): number {
  const file =
    group.version === 2 ? join(group.directory, 'memory.events') : join(group.memory, 'memory.oom_control');
  try {
    return readTable(file).get('oom_kill') ?? 0;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) {
      return 0;
    }
    throw error;
  }
}

/** Kernels before 5.19 keep no peak. */
function readPeak(file: string): number | undefined {
  try {
    return readNumber(file);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) {
      return undefined;
    }
    throw error;
  }
}

function readNumber(file: string): number {
  return Number.parseInt(readFileSync(file, 'utf8'), 10);
}

/** Files of lines `name number`. */
function readTable(file: string): Map<string, number> {
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return new Map(
    lines.map((line) => {
      const [name = '', value = ''] = line.split(' ');
      return [name, Number(value)] as const;
    }),
  );
}
