/** What a control group uses, read from its files: both generations of the kernel's interface. */
import { readFile } from 'node:fs/promises';
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
export async function groupUsage(group: GroupDirectories): Promise<RunStatistics | undefined> {
  try {
    return group.version === 2 ? await usageV2(group.directory) : await usageV1(group.memory, group.cpuacct);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) {
      return undefined;
    }
    throw error;
  }
}

async function usageV2(directory: string): Promise<RunStatistics> {
  const [current, statistics, cpu, peak] = await Promise.all([
    readNumber(join(directory, 'memory.current')),
    readTable(join(directory, 'memory.stat')),
    processorTimeV2(directory),
    readPeak(join(directory, 'memory.peak')),
  ]);
  const memory = Math.max(0, current - (statistics.get('inactive_file') ?? 0));
  return { ...cpu, memory, memoryMax: peak ?? current };
}

type ProcessorTime = Pick<RunStatistics, 'cpuUser' | 'cpuSystem'>;

/** Counted in every group of version 2, whatever controllers it has. */
export async function processorTimeV2(directory: string): Promise<ProcessorTime> {
  const cpu = await readTable(join(directory, 'cpu.stat'));
  return { cpuUser: (cpu.get('user_usec') ?? 0) / 1e6, cpuSystem: (cpu.get('system_usec') ?? 0) / 1e6 };
}

/** The two kinds are counted in hundredths of a second; their sum is known to the nanosecond. */
async function processorTimeV1(directory: string): Promise<ProcessorTime> {
  const [kinds, nanoseconds] = await Promise.all([
    readTable(join(directory, 'cpuacct.stat')),
    readNumber(join(directory, 'cpuacct.usage')),
  ]);
  const user = (kinds.get('user') ?? 0) / ticksPerSecond;
  const system = (kinds.get('system') ?? 0) / ticksPerSecond;
  const rest = Math.max(0, nanoseconds / 1e9 - user - system);
  // What no tick has caught yet goes where most ticks went.
  return user >= system
    ? { cpuUser: user + rest, cpuSystem: system }
    : { cpuUser: user, cpuSystem: system + rest };
}

async function usageV1(memoryDirectory: string, cpuDirectory: string): Promise<RunStatistics> {
  const [current, peak, statistics, cpu] = await Promise.all([
    readNumber(join(memoryDirectory, 'memory.usage_in_bytes')),
    readNumber(join(memoryDirectory, 'memory.max_usage_in_bytes')),
    readTable(join(memoryDirectory, 'memory.stat')),
    processorTimeV1(cpuDirectory),
  ]);
  return {
    ...cpu,
    memory: Math.max(0, current - (statistics.get('total_inactive_file') ?? 0)),
    memoryMax: peak,
  };
}

/** How often the kernel killed a process of the group for want of memory. */
export async function outOfMemoryKills(group: GroupDirectories): Promise<number> {
  const file =
    group.version === 2 ? join(group.directory, 'memory.events') : join(group.memory, 'memory.oom_control');
  try {
    return (await readTable(file)).get('oom_kill') ?? 0;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) {
      return 0;
    }
    throw error;
  }
}

/** Kernels before 5.19 keep no peak. */
async function readPeak(file: string): Promise<number | undefined> {
  try {
    return await readNumber(file);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) {
      return undefined;
    }
    throw error;
  }
}

async function readNumber(file: string): Promise<number> {
  return Number.parseInt(await readFile(file, 'utf8'), 10);
}

/** Files of lines `name number`. */
async function readTable(file: string): Promise<Map<string, number>> {
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  return new Map(
    lines.map((line) => {
      const [name = '', value = ''] = line.split(' ');
      return [name, Number(value)] as const;
    }),
  );
}
