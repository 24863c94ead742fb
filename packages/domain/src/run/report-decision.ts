import { isFinal, type BundleState } from '../bundle/states.ts';

/** States a worker reports a run in (execution.md §17.1). */
export type ReportedState = 'preparing' | 'running' | 'finalizing' | 'ready' | 'staged';

/** One attempt of a run on one worker. */
export interface Holder {
  /** The worker's key, unique over all users. */
  worker: string;
  epoch: number;
}

export interface ReportSituation {
  /** Null when the bundle was deleted. */
  bundle: { state: BundleState; killRequested: boolean } | null;
  /** Who has the run now. */
  assignment: Holder | null;
  /** Who had it last, when nobody has it now. */
  lastHolder: Holder | null;
  report: {
    worker: string;
    state: ReportedState;
    /** Null from original workers, which know no epochs. */
    epoch: number | null;
  };
}

/** What the worker is told in the answer. */
export type ReportAnswer = 'nothing' | 'kill' | 'mark_finalized';

/** What to do with a report (execution.md §31.1). */
export type ReportDecision =
  /**
   * Take the report over and set the state. `from` is the state this was judged on, the condition of the update.
   * With `reattach` the assignment is restored first.
   */
  | {
      action: 'apply';
      cause: 'reported' | 're-attached';
      from: BundleState;
      state: 'preparing' | 'running' | 'finalizing';
      answer: ReportAnswer;
    }
  /** The worker gives the run back: stage it again. */
  | { action: 'restage'; from: BundleState }
  | { action: 'ignore'; answer: ReportAnswer };

const progress = { preparing: 1, running: 2, finalizing: 3 } as const;

/**
 * Judges one report about a run. Only the attempt that holds the run may change it, and nothing changes a final bundle;
 * a worker that goes on with a run it has lost is told to drop it.
 */
export function judgeReport(situation: ReportSituation): ReportDecision {
  const { bundle, assignment, lastHolder, report } = situation;
  if (report.state === 'ready') return { action: 'ignore', answer: 'nothing' };
  if (bundle === null || isFinal(bundle.state)) return disown(report.state);
  const { state } = bundle;
  if (assignment !== null) {
    if (!isSame(assignment, report)) return disown(report.state);
    if (state !== 'worker_offline' && !isUnderWay(state)) return disown(report.state);
    if (report.state === 'staged') return { action: 'restage', from: state };
    return apply(bundle, report.state, state === 'worker_offline' ? 're-attached' : 'reported');
  }
  const mayReturn = state === 'worker_offline' || state === 'staged';
  if (!mayReturn || lastHolder === null || !isSame(lastHolder, report)) return disown(report.state);
  if (report.state !== 'staged') return apply(bundle, report.state, 're-attached');
  // A run that is staged already was given back before: the worker repeats itself until it ends.
  return state === 'staged' ? { action: 'ignore', answer: 'nothing' } : { action: 'restage', from: state };
}

function isSame(holder: Holder, report: ReportSituation['report']): boolean {
  return holder.worker === report.worker && (report.epoch === null || report.epoch === holder.epoch);
}

function isUnderWay(state: BundleState): boolean {
  return state === 'starting' || state in progress;
}

/** What a worker hears about a run that is not its own any more. */
function disown(reported: ReportedState): ReportDecision {
  if (reported === 'staged') return { action: 'ignore', answer: 'nothing' };
  return { action: 'ignore', answer: reported === 'finalizing' ? 'mark_finalized' : 'kill' };
}

function apply(
  bundle: { state: BundleState; killRequested: boolean },
  reported: 'preparing' | 'running' | 'finalizing',
  cause: 'reported' | 're-attached',
): ReportDecision {
  const state = later(bundle.state, reported);
  const answer = bundle.killRequested && reported !== 'finalizing' ? 'kill' : 'nothing';
  return { action: 'apply', cause, from: bundle.state, state, answer };
}

/**
 * Reports can overtake each other: a run never goes back a stage while its worker holds it. One that comes back from
 * `worker_offline` or `staged` is where its worker says.
 */
function later(
  current: BundleState,
  reported: 'preparing' | 'running' | 'finalizing',
): 'preparing' | 'running' | 'finalizing' {
  if (current !== 'preparing' && current !== 'running' && current !== 'finalizing') return reported;
  return progress[current] > progress[reported] ? current : reported;
}
