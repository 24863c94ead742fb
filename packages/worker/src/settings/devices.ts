/** Reads which processors and GPUs the owner offers (execution.md §16.1). */
import { parseCpuList } from '../fingerprint/cpu-list.ts';
import { StartProblem } from './settings.ts';

/** Higher numbers than any machine has; keeps ranges finite. */
const mostCpus = 65_536;

/** @throws StartProblem */
export function cpusOf(text: string): 'all' | readonly number[] {
  if (text === 'ALL') return 'all';
  const numbers = cpuNumbers(text);
  if (numbers === undefined || numbers.length === 0) {
    throw new StartProblem(`--cpuset ${text}: write ALL, or the numbers of processors such as 0,2 or 0-3.`);
  }
  refuseTwice('cpuset', text, numbers);
  return numbers;
}

/** @throws StartProblem */
export function gpusOf(text: string): 'all' | readonly string[] {
  if (text === 'ALL') return 'all';
  if (text === 'NONE' || text === '') return [];
  const names = text.split(',').map((part) => part.trim());
  if (names.includes('')) {
    throw new StartProblem(`--gpuset ${text}: write ALL, NONE, or indices or uuids of GPUs such as 0,1.`);
  }
  refuseTwice('gpuset', text, names);
  return names;
}

function cpuNumbers(text: string): number[] | undefined {
  const compact = text.replaceAll(/\s*([,-])\s*/g, '$1');
  if ((compact.match(/\d+/g) ?? []).some((number) => Number(number) >= mostCpus)) return undefined;
  try {
    return parseCpuList(compact);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function refuseTwice(flag: string, text: string, names: readonly (string | number)[]): void {
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new StartProblem(`--${flag} ${text} names ${twice} twice.`);
}
