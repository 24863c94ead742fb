/** What a check-in says about the worker itself (execution.md §4.1). */
import type { CheckinInput, RunReportInput } from '@sheaf/wire';
import type { Machine } from '../fingerprint/machine.ts';
import type { Runtimes } from '../run/runtimes.ts';
import type { Settings } from '../settings/settings.ts';
import { cpusToReport, type Load } from './slots.ts';
import { version } from '../version.ts';

export interface WorkerNow {
  readonly settings: Settings;
  readonly machine: Machine;
  readonly runtimes: Runtimes;
  /** Bytes; null where it is not known. */
  readonly freeDisk: number | null;
  readonly dependencies: readonly [string, string][];
  readonly runs: readonly RunReportInput[];
  /** What the runs that are held take of its slots and processors. */
  readonly load: Load;
  /** Random name of the work directory. */
  readonly instance: string;
  /** Runs the worker may still start. */
  readonly runsLeft: number;
  readonly terminating: boolean;
}

export function describeWorker(now: WorkerNow): CheckinInput {
  const { settings, machine, runtimes } = now;
  const { primary, fallback } = runtimes;
  return {
    protocol: 2,
    version,
    instance: now.instance,
    hostname: machine.hostname,
    tag: settings.tag,
    tag_exclusive: settings.tagExclusive,
    group_name: settings.group,
    cpus: cpusToReport(settings.slots, machine.cpus.length, now.load),
    gpus: primary.capabilities.gpus ? machine.gpus.length : 0,
    memory_bytes: machine.memory,
    free_disk_bytes: now.freeDisk,
    slots: settings.slots,
    runtime: {
      name: primary.name,
      images: primary.capabilities.images,
      description: describeRuntimes({ primary, fallback }),
    },
    // What is at the server's paths is all there.
    dependencies: settings.sharedFileSystem ? [] : [...now.dependencies],
    runs: [...now.runs],
    shared_file_system: settings.sharedFileSystem,
    exit_after_num_runs: now.runsLeft,
    is_terminating: now.terminating,
    preemptible: settings.preemptible,
  };
}

/** Plain words on how runs are executed. */
export function describeRuntimes({ primary, fallback }: Runtimes): string {
  if (fallback === undefined) return primary.description;
  return `${primary.description} Runs that name no image use a sandbox when the default image cannot be had.`;
}
