/* Reports of one worker, of which one may be odd: it costs nothing but itself (execution.md §4.2). */
import type { RunReport, WorkerMessage } from '@sheaf/wire';
import { attempt } from '../database/attempt.ts';
import { endsTransaction } from '../database/contention.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { applyReports, type ReportingWorker } from '../runs/reports.ts';
import { storeSamples, type NewSamples } from '../runs/statistics/store.ts';
import type { Services } from '../services.ts';
import type { WorkerRow } from './register.ts';
import { workerKeyText } from './worker-key.ts';

/** Together, or one by one. Answers what follows for the worker. */
export async function applyIsolated(
  services: Services,
  unit: UnitOfWork,
  row: WorkerRow,
  reports: readonly RunReport[],
  now: number,
): Promise<WorkerMessage[]> {
  const worker = reportingWorker(row);
  if (reports.length > 1) {
    const together = await applyTogether(services, unit, worker, reports, now);
    if (together !== undefined) return together;
  }
  const answers: WorkerMessage[] = [];
  const heard: NewSamples[] = [];
  for (const report of reports) {
    try {
      const [answer = []] = await attempt(unit, () => applyReports(unit, [{ worker, report }], now, heard));
      answers.push(...answer);
    } catch (error) {
      if (endsTransaction(error)) throw error;
      services.log.error(
        { err: error, run: report.uuid, worker: workerKeyText(worker) },
        'a report could not be applied',
      );
    }
  }
  await storeIsolated(services, unit, heard);
  return answers;
}

/** With a few questions for all of them, which is how it goes nearly always; undefined where one of them is odd. */
async function applyTogether(
  services: Services,
  unit: UnitOfWork,
  worker: ReportingWorker,
  reports: readonly RunReport[],
  now: number,
): Promise<WorkerMessage[] | undefined> {
  // Of two reports about one run, the second is judged by what the first has made of it.
  if (new Set(reports.map(({ uuid }) => uuid)).size < reports.length) return undefined;
  const heard: NewSamples[] = [];
  const given = reports.map((report) => ({ worker, report }));
  try {
    const answers = await attempt(unit, () => applyReports(unit, given, now, heard));
    await storeIsolated(services, unit, heard);
    return answers.flat();
  } catch (error) {
    if (endsTransaction(error)) throw error;
    services.log.debug({ err: error }, 'reports are applied one by one');
    return undefined;
  }
}

/** All runs together, or each by itself; what cannot be kept costs nothing but itself. */
export async function storeIsolated(
  services: Services,
  unit: UnitOfWork,
  heard: readonly NewSamples[],
): Promise<void> {
  if (heard.length === 0) return;
  try {
    await attempt(unit, () => storeSamples(unit, heard));
  } catch (error) {
    if (endsTransaction(error)) throw error;
    services.log.error({ err: error, runs: heard.length }, 'samples of runs could not be stored');
    if (heard.length > 1) for (const one of heard) await storeIsolated(services, unit, [one]);
  }
}

export function reportingWorker(row: WorkerRow): ReportingWorker {
  const { user_id: userId, worker_id: workerId, hostname } = row;
  return { userId, workerId, hostname, preemptible: row.preemptible === 1 };
}
