/** Why the work on a run is broken off: somebody wants the run dead. Not to be mixed up with the worker ending. */
import type { FailureCause } from '@sheaf/domain';
import type { KillCause } from './record.ts';

export class Interruption extends Error {
  override readonly name = 'Interruption';
  readonly kind: KillCause['kind'];

  constructor(cause: KillCause) {
    super(cause.message);
    this.kind = cause.kind;
  }
}

/** The run cannot go on. The message is for its owner. */
export class RunFailure extends Error {
  override readonly name = 'RunFailure';
  /** Says whether it may be tried elsewhere. */
  readonly failureCause: FailureCause;

  constructor(message: string, failureCause: FailureCause, options: { cause?: unknown } = {}) {
    super(message, options);
    this.failureCause = failureCause;
  }
}

/** Which of two causes counts: the first, but a person's wish before a limit, and the worker's own before both. */
export function strongerCause(known: KillCause | null, next: KillCause): KillCause {
  if (known === null) return next;
  const rank = { limit: 0, request: 1, restage: 2, drop: 3 } as const;
  return rank[next.kind] > rank[known.kind] ? next : known;
}
