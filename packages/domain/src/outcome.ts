/**
 * The answer of a parser or a check: a value, or one sentence for the user saying what is wrong.
 * The domain never throws for what a user typed; the edges turn `problem` into their kind of error.
 */
export type Outcome<Value> = { ok: true; value: Value } | { ok: false; problem: string };

export function success<Value>(value: Value): Outcome<Value> {
  return { ok: true, value };
}

export function failure(problem: string): { ok: false; problem: string } {
  return { ok: false, problem };
}
