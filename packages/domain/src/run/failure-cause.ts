/**
 * Why an attempt of a run came to nothing, and whether the run is worth another one (execution.md §31.4, §31.5). One table for the
 * worker that sees the cause and for the server that decides.
 */

export interface CauseTraits {
  /** `run`: another worker would come to the same end. `platform`: the machine, its engine or its network is to blame. */
  readonly blame: 'run' | 'platform';
  /** What it means, for the documentation. */
  readonly meaning: string;
}

const run = (meaning: string): CauseTraits => ({ blame: 'run', meaning });
const platform = (meaning: string): CauseTraits => ({ blame: 'platform', meaning });

export const failureCauses = {
  'exit-code': run('the command ended with another code than 0, or by a signal of its own'),
  limit: run('the run passed its limit of time, memory or disk'),
  'image-refused': run('the image does not exist, is not for the worker, is too large, or its name is wrong'),
  'dependency-refused': run(
    'a dependency is missing, may not be read, or cannot be mounted where it should be',
  ),
  'start-refused': run('the engine refuses what the run asks for'),
  'results-refused': run('the server refuses the results, or could not take them for hours'),
  'engine-failed': platform('the container engine does not answer, or could not start the container'),
  'container-lost': platform('the container or sandbox vanished, or ended with its engine'),
  'image-unreachable': platform('the registry cannot be reached from the worker, or refuses it for now'),
  'dependency-unreachable': platform(
    'a dependency could not be fetched: network, server or disk of the worker',
  ),
  'disk-full': platform('the disk of the worker is full'),
  'directory-lost': platform('the directory of the run vanished, or cannot be read'),
  'worker-unfit': platform(
    'the worker cannot do what it said it could: a runtime or a shared filesystem is missing',
  ),
  unexpected: platform('the worker failed in a way nobody has foreseen'),
} as const satisfies Readonly<Record<string, CauseTraits>>;

export type FailureCause = keyof typeof failureCauses;

export const failureCauseNames = Object.keys(failureCauses) as readonly FailureCause[];

export function isPlatformFailure(cause: FailureCause): boolean {
  return failureCauses[cause].blame === 'platform';
}

/** What a worker said about a failure, in the terms of the table: one that gives no cause, or one that is newer, still says whose fault it is. */
export function reportedCause(report: {
  readonly cause: string | null | undefined;
  readonly platformFailure: boolean | null | undefined;
}): FailureCause {
  const known = failureCauseNames.find((name) => name === report.cause);
  if (known !== undefined) return known;
  return report.platformFailure === true ? 'unexpected' : 'exit-code';
}

export interface AttemptHistory {
  /** Attempts before this one that the platform has spoilt. */
  readonly spoilt: number;
  /** Times the run went back to the queue for any reason of the platform. */
  readonly restarts: number;
  /** Somebody wants the run dead. */
  readonly killRequested: boolean;
}

export interface RetryLimits {
  /** Attempts after the first that the platform has spoilt. */
  readonly retries: number;
  /** Of all kinds together. */
  readonly restarts: number;
}

/** Whether the run goes back to the queue, or ends with this failure. */
export function judgeFailure(
  cause: FailureCause,
  history: AttemptHistory,
  limits: RetryLimits,
): 'retry' | 'final' {
  if (!isPlatformFailure(cause) || history.killRequested) return 'final';
  return history.spoilt < limits.retries && history.restarts < limits.restarts ? 'retry' : 'final';
}

export interface SpoiltAttempt {
  readonly reason: string;
  /** Where it was; undefined where that is nobody's business. */
  readonly worker: string | undefined;
}

/** The failure of a run that was tried again and again: the last reason, as always, and then everything that was tried. */
export function failureAfterRetries(attempts: readonly SpoiltAttempt[]): string {
  const last = attempts.at(-1);
  if (last === undefined) return 'The platform failed.';
  if (attempts.length === 1) return last.reason;
  const all = attempts.map(({ reason, worker }, at) => {
    const where = worker === undefined ? '' : ` on worker ${worker}`;
    return `(${at + 1})${where}: ${reason}`;
  });
  const reason = /[.!?)]$/.test(last.reason) ? last.reason : `${last.reason}.`;
  return `${reason} This is not the fault of the command: it was tried ${attempts.length} times. ${all.join('; ')}`;
}
