/** The command line of a worker that a pool starts (execution.md §27.3). */
import type { Settings } from './settings.ts';

export interface WorkerCommand {
  /** Unique part of its name. */
  readonly workerId: string;
  readonly workDirectory: string;
  /** Flags that the kind of pool adds behind all others. */
  readonly more?: readonly string[];
  readonly passDownTermination?: boolean;
}

/** What the worker is called on the server: it stays the same where its job is started again, so that it goes on with its runs. */
export function workerName(workerId: string): string {
  return `host-${workerId}`;
}

/** The program and its flags. */
export function workerWords(
  { server, worker }: Settings,
  { workerId, workDirectory, more = [], passDownTermination = worker.passDownTermination }: WorkerCommand,
): string[] {
  const value = (flag: string, given: string | number | null) =>
    given === null ? [] : [flag, String(given)];
  const flag = (name: string, given: boolean) => (given ? [name] : []);
  return [
    worker.executable,
    '--server',
    server,
    '--verbose',
    '--exit-when-idle',
    '--idle-seconds',
    String(worker.idleSeconds),
    '--work-dir',
    workDirectory,
    '--id',
    workerName(workerId),
    '--network-prefix',
    `cl_worker_${workerId}_network`,
    ...value('--tag', worker.tag),
    ...value('--group', worker.group),
    ...value('--exit-after-num-runs', worker.exitAfterRuns),
    ...value('--download-dependencies-max-retries', worker.downloadAttempts),
    ...value('--max-work-dir-size', worker.maximumWorkDirectorySize),
    ...flag('--delete-work-dir-on-exit', worker.deleteWorkDirectory),
    ...flag('--exit-on-exception', worker.exitOnException),
    ...flag('--tag-exclusive', worker.tagExclusive),
    ...flag('--pass-down-termination', passDownTermination),
    ...value('--checkin-frequency-seconds', worker.checkinSeconds),
    ...value('--shared-memory-size-gb', worker.sharedMemoryGigabytes),
    ...flag('--preemptible', worker.preemptible),
    ...more,
  ];
}
