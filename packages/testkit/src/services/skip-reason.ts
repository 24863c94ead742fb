/** Why tests that need a service cannot run here. */
export class SkipReason extends Error {
  override readonly name = 'SkipReason';
  readonly service: string;

  constructor(service: string, reason: string, options: { cause?: unknown } = {}) {
    super(`${service}: ${reason}`, options);
    this.service = service;
  }
}
