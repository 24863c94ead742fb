/** No answer came from the server: it is not running, the address is wrong, or the network broke. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  /** The system's own code, such as `ECONNREFUSED`, where there is one. */
  readonly reason: string | undefined;

  constructor(message: string, options: { cause?: unknown; reason?: string | undefined } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = options.reason;
  }
}
