import type { BundleState } from '../bundle/states.ts';

/** Check-ins in a row that may leave an assigned run out before it counts as lost (execution.md §31.3). */
export const toleratedOmissions = 1;

/**
 * What becomes of a run whose worker is gone, or has checked in without it (execution.md §10.2, §31.3). Runs that were
 * only starting or preparing have lost nothing and go elsewhere; so do runs of preemptible workers. The results of a
 * finalizing run are stored already, so it can be finished without its worker.
 */
export type LossDecision = 'restage' | 'offline' | 'finalize' | 'nothing';

export function judgeLoss(run: {
  state: BundleState;
  preemptible: boolean;
  /** The worker is alive, but has forgotten the run. */
  forgotten: boolean;
}): LossDecision {
  switch (run.state) {
    case 'starting':
      return 'restage';
    case 'preparing':
      return run.forgotten || run.preemptible ? 'restage' : 'offline';
    case 'running':
      return run.preemptible ? 'restage' : 'offline';
    case 'finalizing':
      return 'finalize';
    case 'uploading':
    case 'created':
    case 'staged':
    case 'making':
    case 'ready':
    case 'failed':
    case 'killed':
    case 'worker_offline':
      return 'nothing';
  }
}
