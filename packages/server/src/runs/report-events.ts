/* What reports tell that is news for people (execution.md §10.4, §14.1). */
import type { BundleState } from '@sheaf/domain';
import type { RunReport } from '@sheaf/wire';
import type { BundleRow } from '../bundles/transition.ts';
import { history, type HistoryEvent, type NamedWorker } from './history.ts';

/** Most reports tell nothing new. */
export function reportEvent(
  worker: NamedWorker,
  report: RunReport,
  bundle: BundleRow,
  decision: { from: BundleState; state: BundleState; cause: 'reported' | 're-attached' },
): HistoryEvent | undefined {
  const facts = { worker, attempt: bundle.epoch };
  if (decision.cause === 're-attached') {
    const next = bundle.kill_requested_at === null ? 'which goes on' : 'which is to be stopped';
    return history('reattached', (names) => `${names.worker} is back with the run, ${next}.`, facts);
  }
  if (!tellsOfCommand(report, decision)) return undefined;
  const where = placeOfCommand(report);
  return history('running', (names) => `The command runs on ${names.worker}${where}.`, facts);
}

/** A command of a moment has run, and has ended, when it is heard of for the first time. */
function tellsOfCommand(
  report: RunReport,
  { from, state }: { readonly from: BundleState; readonly state: BundleState },
): boolean {
  if (state === 'running') return from !== 'running';
  if (state !== 'finalizing' || (from !== 'preparing' && from !== 'starting')) return false;
  return typeof report.bundle_profile_stats?.['RUN_STAGE.RUNNING']?.start === 'number';
}

export function quotaEvent(worker: NamedWorker, run: BundleRow, message: string): HistoryEvent {
  const about = /disk quota/i.test(message) ? 'disk' : 'time';
  return history(
    'kill-requested',
    (names) => `The ${about} quota of the owner is used up: ${names.worker} is told to stop the run.`,
    { worker, attempt: run.epoch },
  );
}

function placeOfCommand({ docker_image: image, runtime }: RunReport): string {
  if (typeof image === 'string' && image !== '') return ` in ${image}`;
  return typeof runtime === 'string' ? ` in the ${runtime}` : '';
}
