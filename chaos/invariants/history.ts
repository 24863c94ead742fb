/** The history of each run tells one story: attempts one after the other, each with a beginning and a reason for the next, and one end. */
import type { BundleEvent, Evidence, RunEvidence } from '../evidence/evidence.ts';
import { nameOf } from './name-of.ts';

const ends = new Set(['finished', 'failed']);
/** Back to the queue. */
const returns = new Set(['restaged', 'returned', 'preempted']);
/** What others still do with a run that is over, or with an attempt that is. */
const asides = new Set(['refused', 'session', 'kill-requested']);

export function checkHistories({ runs }: Pick<Evidence, 'runs'>): string[] {
  return runs.flatMap((run) => storyOf(run).map((problem) => `The history of ${nameOf(run)}: ${problem}`));
}

function storyOf(run: RunEvidence): string[] {
  const problems: string[] = [];
  const ended = run.events.filter(({ kind }) => ends.has(kind));
  if (ended.length !== 1) problems.push(`it ended ${ended.length} times`);
  const state = ended[0]?.kind === 'finished' ? 'ready' : (ended[0]?.state ?? 'failed');
  if (ended.length > 0 && state !== run.state) problems.push(`it ended ${state}, and is ${run.state}`);
  const told = new Story();
  for (const event of run.events) if (!asides.has(event.kind)) problems.push(...told.next(event));
  if (told.attempt !== run.epoch)
    problems.push(`it tells of ${told.attempt} attempts, and there were ${run.epoch}`);
  return problems;
}

/** Where an attempt is. */
type Place = 'waiting' | 'assigned' | 'started' | 'running' | 'offline' | 'over';

/** Where it must have been before: nobody begins, runs or gives back what was not given. */
const needed: Readonly<Record<string, readonly Place[]>> = {
  started: ['assigned'],
  running: ['assigned', 'started'],
  offline: ['assigned', 'started', 'running'],
  restaged: ['assigned', 'started', 'running', 'offline'],
  returned: ['assigned', 'started', 'running', 'offline'],
  preempted: ['assigned', 'started', 'running', 'offline'],
  // Also from the queue, as long as nobody else was given the run.
  reattached: ['waiting', 'offline'],
};

class Story {
  attempt = 0;
  #at: Place = 'waiting';

  next({ kind, epoch }: BundleEvent): string[] {
    const problems = this.#judge(kind, epoch);
    this.#move(kind, epoch);
    return problems;
  }

  #judge(kind: string, epoch: number | undefined): string[] {
    if (this.#at === 'over') return [`after its end it is ${kind}`];
    if (kind === 'assigned') return this.#judgeAssignment(epoch);
    if (kind === 'staged') return this.attempt === 0 ? [] : ['it is staged in the middle'];
    if (ends.has(kind)) return [];
    if (epoch !== undefined && epoch !== this.attempt)
      return [`${kind} of attempt ${epoch} during ${this.attempt}`];
    const before = needed[kind];
    return before === undefined || before.includes(this.#at)
      ? []
      : [`attempt ${epoch} is ${kind} while it is ${this.#at}`];
  }

  #judgeAssignment(epoch: number | undefined): string[] {
    const problems = epoch === this.attempt + 1 ? [] : [`attempt ${epoch} follows ${this.attempt}`];
    return this.#at === 'waiting' ? problems : [...problems, `attempt ${epoch} has no reason`];
  }

  #move(kind: string, epoch: number | undefined): void {
    if (kind === 'assigned') {
      this.attempt = epoch ?? this.attempt;
      this.#at = 'assigned';
    } else if (kind === 'started' || kind === 'reattached') this.#at = 'started';
    else if (kind === 'running') this.#at = 'running';
    else if (kind === 'offline') this.#at = 'offline';
    else if (returns.has(kind)) this.#at = 'waiting';
    else if (ends.has(kind)) this.#at = 'over';
  }
}
