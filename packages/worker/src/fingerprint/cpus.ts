/** The processors this process may use. */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { systemCode } from '../errors.ts';
import { StartProblem } from '../settings/settings.ts';
import { parseCpuList } from './cpu-list.ts';

/** Numbers of the processors in the affinity set; all there are where the system has no such thing. */
export async function usableCpus(): Promise<number[]> {
  try {
    const status = await readFile('/proc/self/status', 'utf8');
    const allowed = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1];
    if (allowed !== undefined) return parseCpuList(allowed);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  return Array.from({ length: availableParallelism() }, (_, number) => number);
}

/** @throws StartProblem where the owner names processors that are not there (execution.md §16.1). */
export function offeredCpus(wanted: 'all' | readonly number[], usable: readonly number[]): readonly number[] {
  if (wanted === 'all') return usable;
  const absent = wanted.filter((number) => !usable.includes(number));
  if (absent.length === 0) return wanted;
  throw new StartProblem(
    `--cpuset names ${absent.join(',')}, but this process may use only the processors ${usable.join(',')}.`,
  );
}
