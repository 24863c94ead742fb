import type { CommandLine } from './command-line.ts';
import { textOf } from './values.ts';

/** The image of workers that are containers (execution.md §27.3). @throws StartProblem */
export function workerImageOf(line: CommandLine, environment: NodeJS.ProcessEnv): string {
  return textOf(line, 'worker-image') ?? `codalab/worker:${environment['CODALAB_VERSION'] || 'latest'}`;
}
