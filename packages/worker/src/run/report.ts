/** What is reported about a run (execution.md §4.2, §17.1). */
import { assertNever } from '@sheaf/domain';
import type { RunReportInput } from '@sheaf/wire';
import type { RunRecord, Step } from './record.ts';
import { stageTimings } from './stage-times.ts';

/** What changes from second to second and is not kept on disk. */
export interface LiveState {
  /** Words for the user; empty for those that go with the step. */
  readonly status: string;
  /** Cores in use. */
  readonly cpuUsage: number | null;
  /** Bytes in use. */
  readonly memory: number | null;
}

export const nothingSeen: LiveState = { status: '', cpuUsage: null, memory: null };

/** Undefined for runs the server must not hear of. @param seconds for which the command has run */
export function reportOf(
  record: RunRecord,
  live: LiveState,
  workerId: string,
  seconds: number,
): RunReportInput | undefined {
  const state = reportedState(record.step);
  if (state === undefined) return undefined;
  const { message, usage } = record;
  const memoryLimit = message.resources.memory;
  return {
    uuid: record.uuid,
    epoch: record.epoch,
    state,
    run_status: live.status === '' ? statusOf(record) : live.status,
    bundle_start_time: record.acceptedAt / 1000,
    container_time_total: seconds,
    container_time_user: usage.cpuUser,
    container_time_system: usage.cpuSystem,
    docker_image: record.startedAt === null ? null : (record.image?.digest ?? record.image?.id ?? null),
    remote: workerId,
    runtime: record.runtime,
    exitcode: record.exit?.exitCode ?? null,
    failure_message: state === 'finalizing' ? record.failure : null,
    bundle_profile_stats: stageTimings(record),
    ...inUse(live, memoryLimit),
    memory_max: usage.memoryMax === 0 ? null : usage.memoryMax,
    disk_utilization: usage.disk,
    ...(record.platformFailure ? { platform_failure: true } : {}),
    ...(record.failureCause === null ? {} : { failure_cause: record.failureCause }),
  };
}

/** What is not known, such as after a restart of the worker, changes nothing. */
function inUse({ cpuUsage, memory }: LiveState, memoryLimit: number): Partial<RunReportInput> {
  return {
    ...(cpuUsage === null ? {} : { cpu_usage: meaningful(cpuUsage) }),
    ...(memory === null ? {} : { memory }),
    ...(memory === null || memoryLimit <= 0 ? {} : { memory_usage: meaningful(memory / memoryLimit) }),
  };
}

/** As many digits as anybody measures; people read them. */
function meaningful(value: number): number {
  return Number(value.toPrecision(3));
}

/** Seconds that the command has run by the machine's clock: so far, or in all. */
export function containerSeconds(record: RunRecord, now: number): number {
  if (record.startedAt === null) return 0;
  return Math.max(0, ((record.finishedAt ?? now) - record.startedAt) / 1000);
}

/** Undefined for what the server must not hear of. */
export function reportedState(step: Step): RunReportInput['state'] | undefined {
  switch (step) {
    case 'prepare':
    case 'start':
      return 'preparing';
    case 'watch':
    case 'collect':
    case 'upload':
      return 'running';
    case 'finish':
      return 'finalizing';
    case 'restaged':
      return 'staged';
    case 'dropped':
      return undefined;
    default:
      return assertNever(step);
  }
}

function statusOf(record: RunRecord): string {
  switch (record.step) {
    case 'prepare':
      return 'Preparing.';
    case 'start':
      return 'Starting the command.';
    case 'watch':
      return record.note ?? (record.image === null ? 'Running job in sandbox.' : 'Running job in container.');
    case 'collect':
      return 'Collecting results.';
    case 'upload':
      return 'Uploading results.';
    case 'finish':
      return 'Finalizing bundle.';
    case 'restaged':
      return 'Given back.';
    case 'dropped':
      return '';
    default:
      return assertNever(record.step);
  }
}
