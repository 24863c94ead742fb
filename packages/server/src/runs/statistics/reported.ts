/* The samples in a report: those a worker sends, or the one that can be made of what an original worker says. */
import type { Metadata, UsageSample } from '@sheaf/domain';
import type { RunReport } from '@sheaf/wire';
import { commandRuns, reportedMemory } from '../report-metadata.ts';
import { mostPoints } from './segments.ts';

/** @param now milliseconds since the epoch, of the server: original workers do not say when they looked. */
export function reportedSamples(report: RunReport, metadata: Metadata, now: number): readonly UsageSample[] {
  const { samples } = report;
  if (samples !== undefined && samples !== null) return samples.slice(-mostPoints);
  const original = report.epoch === undefined || report.epoch === null;
  if (!original || !commandRuns(report)) return [];
  const { container_time_user: user, container_time_system: system } = report;
  // Workers that do not know say 0.
  const counted = user + system > 0;
  return [
    {
      at: now,
      cpu: report.cpu_usage ?? null,
      memory: reportedMemory(report, metadata) ?? null,
      disk: report.disk_utilization ?? null,
      user: counted ? user : null,
      system: counted ? system : null,
    },
  ];
}
