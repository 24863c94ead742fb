/** What is decided about workers that are jobs of Slurm (execution.md §27.4). */
import { resolve } from 'node:path';
import type { CommandLine } from '../settings/command-line.ts';
import { StartProblem } from '../settings/start-problem.ts';
import { neededTextOf, textOf, wholeOf } from '../settings/values.ts';

export interface SlurmSettings {
  readonly partition: string;
  readonly jobName: string;
  readonly user: string;
  readonly cpus: number;
  readonly gpus: number;
  readonly gpuType: string | null;
  readonly memoryMegabytes: number;
  readonly time: string;
  /** Null for the user's own. */
  readonly account: string | null;
  readonly constraint: string | null;
  readonly nodelist: string | null;
  readonly exclude: string | null;
  /** Absolute, as all paths here. */
  readonly directory: string;
  readonly passwordFile: string | null;
  readonly mostFailed: number | null;
  readonly dryRun: boolean;
}

/** @param login name of the user of this process. @throws StartProblem */
export function readSlurmSettings(
  line: CommandLine,
  { login, currentDirectory }: { login: string; currentDirectory: string },
): SlurmSettings {
  const jobName = neededTextOf(line, 'job-name');
  const user = textOf(line, 'user') ?? login;
  // Both are part of the names of workers and networks, where commas and blanks have other meanings.
  for (const [flag, text] of [
    ['job-name', jobName],
    ['user', user],
  ] as const) {
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,49}$/.test(text)) {
      throw new StartProblem(
        `"${text}" cannot be a --${flag}: use at most 50 letters, digits and _ . - behind a letter or digit.`,
      );
    }
  }
  const passwordFile = textOf(line, 'password-file');
  return {
    partition: oneLine(line, 'partition') ?? '',
    jobName,
    user,
    cpus: wholeOf(line, 'cpus', 1) ?? 1,
    gpus: wholeOf(line, 'gpus') ?? 0,
    gpuType: oneLine(line, 'gpu-type'),
    memoryMegabytes: wholeOf(line, 'memory-mb', 1) ?? 1,
    time: oneLine(line, 'time') ?? '',
    account: line.value('account') === '' ? null : oneLine(line, 'account'),
    constraint: oneLine(line, 'constraint'),
    nodelist: oneLine(line, 'nodelist'),
    exclude: oneLine(line, 'exclude'),
    directory: directoryOf(line, currentDirectory),
    passwordFile: passwordFile === null ? null : resolve(currentDirectory, passwordFile),
    mostFailed: wholeOf(line, 'exit-after-num-failed'),
    dryRun: line.has('dry-run'),
  };
}

/** @throws StartProblem, also where the directory of this process has a name that no script can hold */
function directoryOf(line: CommandLine, currentDirectory: string): string {
  const directory = resolve(currentDirectory, oneLine(line, 'slurm-work-dir') ?? '');
  if (!unwritable.test(directory)) return directory;
  throw new StartProblem(
    `${directory} cannot be named in a job script: name another --slurm-work-dir, without quotes and backslashes.`,
  );
}

/** What a line of a script cannot hold. */
const unwritable = /[\p{Cc}"\\]/u;

/** A value that stands on a line of the script by itself. */
function oneLine(line: CommandLine, name: string): string | null {
  const text = textOf(line, name);
  if (text === null || !unwritable.test(text)) return text;
  throw new StartProblem(`--${name} may hold no quotes, no backslashes and no line breaks.`);
}
