/** What each worker of a pool has. */
import type { CommandLine } from './command-line.ts';
import { wholeOf } from './values.ts';

export interface WorkerSize {
  readonly cpus: number;
  readonly gpus: number;
  readonly memoryMegabytes: number;
}

/** @throws StartProblem */
export function sizeOf(line: CommandLine): WorkerSize {
  return {
    cpus: wholeOf(line, 'cpus', 1) ?? 1,
    gpus: wholeOf(line, 'gpus') ?? 0,
    memoryMegabytes: wholeOf(line, 'memory-mb', 1) ?? 1,
  };
}
