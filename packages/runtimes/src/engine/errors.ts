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

export function isConflict(error: unknown): boolean {
  // Podman answers 500 where a name is taken.
  return error instanceof EngineError && (error.status === 409 || /is already in use/.test(error.message));
}
