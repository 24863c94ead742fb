/** What whoever starts the program decides, for every kind of pool (execution.md §27.1). */
import type { CommandLine } from './command-line.ts';
import { StartProblem } from './start-problem.ts';
import { neededTextOf, secondsOf, serverOf, sizeTextOf, tagOf, textOf, wholeOf } from './values.ts';

export interface Settings {
  /** Base address, without `/rest`. */
  readonly server: string;
  readonly passwordFile: string | null;
  readonly credentialsFile: string | null;
  readonly minimum: number;
  readonly maximum: number;
  readonly search: readonly string[];
  readonly sleepSeconds: number;
  readonly startPauseSeconds: number;
  readonly restartAfterSeconds: number | null;
  readonly prefilter: boolean;
  readonly once: boolean;
  readonly verbose: boolean;
  readonly worker: WorkerSettings;
}

/** What is passed on to each worker. */
export interface WorkerSettings {
  readonly executable: string;
  readonly tag: string | null;
  /** Only where there is a tag. */
  readonly tagExclusive: boolean;
  readonly group: string | null;
  readonly workDirectoryPrefix: string;
  readonly maximumWorkDirectorySize: string | null;
  readonly deleteWorkDirectory: boolean;
  readonly idleSeconds: number;
  readonly exitAfterRuns: number | null;
  readonly downloadAttempts: number;
  readonly checkinSeconds: number | null;
  readonly sharedMemoryGigabytes: number | null;
  readonly passDownTermination: boolean;
  readonly exitOnException: boolean;
  readonly preemptible: boolean;
}

/** @throws StartProblem */
export function readSettings(line: CommandLine): Settings {
  const minimum = wholeOf(line, 'min-workers') ?? 0;
  const maximum = wholeOf(line, 'max-workers') ?? 0;
  if (minimum > maximum) {
    throw new StartProblem(
      `--min-workers ${minimum} is more than --max-workers ${maximum}: make the first smaller or the second larger.`,
    );
  }
  return {
    server: serverOf(line.value('server') ?? ''),
    passwordFile: textOf(line, 'password-file'),
    credentialsFile: textOf(line, 'credentials'),
    minimum,
    maximum,
    search: line.values('search'),
    sleepSeconds: secondsOf(line, 'sleep-time') ?? 0,
    startPauseSeconds: secondsOf(line, 'min-seconds-between-workers') ?? 0,
    restartAfterSeconds: secondsOf(line, 'restart-after-seconds', 0.1),
    prefilter: !line.has('no-prefilter'),
    once: line.has('once'),
    verbose: line.has('verbose'),
    worker: workerSettings(line),
  };
}

function workerSettings(line: CommandLine): WorkerSettings {
  const tag = tagOf(line, 'worker-tag');
  return {
    executable: neededTextOf(line, 'worker-executable'),
    tag,
    tagExclusive: tag !== null && line.has('worker-tag-exclusive'),
    group: textOf(line, 'worker-group'),
    workDirectoryPrefix: neededTextOf(line, 'worker-work-dir-prefix'),
    maximumWorkDirectorySize: sizeTextOf(line, 'worker-max-work-dir-size'),
    deleteWorkDirectory: line.has('worker-delete-work-dir-on-exit'),
    idleSeconds: wholeOf(line, 'worker-idle-seconds') ?? 0,
    exitAfterRuns: wholeOf(line, 'worker-exit-after-num-runs'),
    downloadAttempts: wholeOf(line, 'worker-download-dependencies-max-retries') ?? 0,
    checkinSeconds: wholeOf(line, 'worker-checkin-frequency-seconds'),
    sharedMemoryGigabytes: wholeOf(line, 'worker-shared-memory-size-gb', 1),
    passDownTermination: line.has('worker-pass-down-termination'),
    exitOnException: line.has('worker-exit-on-exception'),
    preemptible: line.has('worker-preemptible'),
  };
}
