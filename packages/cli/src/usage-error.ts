import type { Outcome } from '@sheaf/domain';

/** Something the user typed is understood but cannot be done; found before any request is made. Exit code 1. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** What the user can do about it. */
  readonly next: string | undefined;

  constructor(message: string, next?: string) {
    super(message);
    this.next = next;
  }
}

/** The value of a rule's answer. @throws UsageError with the rule's sentence. */
export function valueOf<Value>(outcome: Outcome<Value>): Value {
  if (outcome.ok) return outcome.value;
  throw new UsageError(outcome.problem);
}
