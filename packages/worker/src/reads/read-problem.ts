/** A read that cannot be served, with the HTTP status the server answers its client (execution.md §5.3). */
export class ReadProblem extends Error {
  override readonly name = 'ReadProblem';
  readonly status: number;

  constructor(status: number, message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.status = status;
  }
}

/** Original servers and ours look again at the bundle when they are told exactly this. */
export const notRunning = 'Bundle no longer running';
