import type { BundleState } from '../bundle/states.ts';
import type { Holder } from './report-decision.ts';

/** `grant` moves the run to `preparing`; `repeat` says yes again without effect; `refuse` says no. */
export type StartDecision = 'grant' | 'repeat' | 'refuse' | 'refuse and kill';

/**
 * Judges a worker's question whether it may start a run (execution.md §6.1, §31.1): once for the attempt that was assigned
 * to it, and again with the same answer if that one was lost. A run somebody wants dead is not started; it is
 * then killed.
 */
export function judgeStart(situation: {
  /** Null when there is no such bundle. */
  bundle: { state: BundleState; killRequested: boolean } | null;
  assignment: Holder | null;
  worker: string;
  /** Null from original workers. */
  epoch: number | null;
}): StartDecision {
  const { bundle, assignment, worker, epoch } = situation;
  if (bundle === null || assignment === null || assignment.worker !== worker) return 'refuse';
  if (epoch !== null && epoch !== assignment.epoch) return 'refuse';
  if (bundle.state === 'starting') return bundle.killRequested ? 'refuse and kill' : 'grant';
  return bundle.state === 'preparing' ? 'repeat' : 'refuse';
}
