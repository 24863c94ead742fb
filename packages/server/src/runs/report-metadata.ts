/** What a report tells about a run, as metadata (execution.md §10.4). */
import { parseSize, type Metadata } from '@sheaf/domain';
import type { MetadataValue, RunReport } from '@sheaf/wire';
import { numberOf, textOf } from './metadata.ts';

const stages = {
  'RUN_STAGE.PREPARING': 'time_preparing',
  'RUN_STAGE.RUNNING': 'time_running',
  'RUN_STAGE.CLEANING_UP': 'time_cleaning_up',
  'RUN_STAGE.UPLOADING_RESULTS': 'time_uploading_results',
} as const;

export interface ReportedChanges {
  readonly metadata: Record<string, MetadataValue>;
  /** Seconds of container time that were not known before. */
  readonly moreSeconds: number;
  /** Bytes more (or fewer) in the run's directory than known before. */
  readonly moreBytes: number;
}

/**
 * @param known.keepSize the stored contents, or a refused upload, say what the run takes: measurements do not count any more.
 * @param now seconds since the epoch, of the server.
 */
export function reportedChanges(
  report: RunReport,
  known: { metadata: Metadata; dataSize: number; keepSize: boolean },
  workerId: string,
  now: number,
): ReportedChanges {
  const before = known.metadata;
  const seconds = Math.max(0, report.container_time_total, numberOf(before['time']));
  const size = Math.max(0, Math.round(report.disk_utilization ?? known.dataSize));
  const metadata: Record<string, MetadataValue> = {
    run_status: report.run_status,
    last_updated: now,
    time: seconds,
    time_user: Math.max(report.container_time_user, numberOf(before['time_user'])),
    time_system: Math.max(report.container_time_system, numberOf(before['time_system'])),
    remote: report.remote ?? workerId,
  };
  set(metadata, 'cpu_usage', report.cpu_usage);
  set(metadata, 'memory_usage', report.memory_usage);
  set(metadata, 'docker_image', report.docker_image === '' ? null : report.docker_image);
  set(metadata, 'runtime', report.runtime);
  const memory = reportedMemory(report, before);
  set(metadata, 'memory', memory);
  const memoryMax = Math.max(report.memory_max ?? 0, memory ?? 0, numberOf(before['memory_max']));
  if (memoryMax > 0) metadata['memory_max'] = memoryMax;
  for (const [stage, key] of Object.entries(stages)) {
    set(metadata, key, report.bundle_profile_stats?.[stage]?.elapsed);
  }
  const measured =
    !known.keepSize && report.disk_utilization !== undefined && report.disk_utilization !== null;
  if (measured) metadata['data_size'] = size;
  return {
    metadata,
    moreSeconds: seconds - numberOf(before['time']),
    moreBytes: measured ? size - known.dataSize : 0,
  };
}

/** Whether the command itself is running: the stage has begun and has no end (execution.md §14.1). */
export function commandRuns(report: RunReport): boolean {
  if (report.state !== 'running') return false;
  const stage = report.bundle_profile_stats?.['RUN_STAGE.RUNNING'];
  return (
    stage === undefined || stage === null || ((stage.start ?? null) !== null && (stage.end ?? null) === null)
  );
}

/** What `request_memory` stands for where it is not set, in bytes (execution.md §12.4). */
const usualMemory = 2 * 1024 ** 3;

/** Bytes in use; original workers only say which part of the limit that is. */
export function reportedMemory(report: RunReport, metadata: Metadata): number | undefined {
  if (report.memory !== undefined && report.memory !== null) return report.memory;
  if (report.memory_usage === undefined || report.memory_usage === null) return undefined;
  const requested = parseSize(textOf(metadata['request_memory']) ?? '');
  const limit = requested.ok && requested.value > 0 ? requested.value : usualMemory;
  return Math.round(report.memory_usage * limit);
}

function set(
  metadata: Record<string, MetadataValue>,
  key: string,
  value: number | string | null | undefined,
): void {
  if (value !== undefined && value !== null) metadata[key] = value;
}
