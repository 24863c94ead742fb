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

/** Numbers of the processors of the machine, whoever may use them; undefined where the system does not tell. */
export async function presentCpus(): Promise<number[] | undefined> {
  try {
    return parseCpuList(await readFile('/sys/devices/system/cpu/present', 'utf8'));
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    return undefined;
  }
}

/**
 * The processors to offer: those named that this process may use (execution.md §16.1).
 * @throws StartProblem where the owner names some that the machine does not have, or none that may be used
 */
export function offeredCpus(
  wanted: 'all' | readonly number[],
  {
    usable,
    present = usable,
  }: { readonly usable: readonly number[]; readonly present?: readonly number[] | undefined },
): readonly number[] {
  if (wanted === 'all') return usable;
  const absent = wanted.filter((number) => !present.includes(number) && !usable.includes(number));
  if (absent.length > 0) {
    throw new StartProblem(
      `--cpuset names ${absent.join(',')}, but this machine has only the processors ${present.join(',')}.`,
    );
  }
  const offered = wanted.filter((number) => usable.includes(number));
  if (offered.length > 0) return offered;
  throw new StartProblem(
    `--cpuset names ${wanted.join(',')}, but this process may use only the processors ${usable.join(',')}.`,
  );
}
