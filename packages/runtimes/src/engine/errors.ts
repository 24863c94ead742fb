/** What can go wrong between us and the engine: it answered with a refusal, or it did not answer. */

/** The engine's refusal, in its own words. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  /** HTTP status; 0 where a stream reported the error after its headers. */
  readonly status: number;
  constructor(status: number, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.status = status;
  }
}

/** Nobody answers at the address, or the connection broke before the answer was complete. */
export class EngineUnreachableError extends Error {
  override readonly name = 'EngineUnreachableError';
}

export function isNotFound(error: unknown): boolean {
  return error instanceof EngineError && error.status === 404;
}

/** Podman answers 500 where a name is taken, and where a container ends in the moment in which it is told to end. */
const podmanConflict = /is already in use|container state improper/;

export function isConflict(error: unknown): boolean {
  return error instanceof EngineError && (error.status === 409 || podmanConflict.test(error.message));
}
