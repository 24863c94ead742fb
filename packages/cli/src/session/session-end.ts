/** What comes from the other end of a session: bytes for the standard streams, and how it ends. */
import { ConnectionError, type SessionHandlers } from '@sheaf/client';
import { isErrorCode, SheafError, type SessionControl, type SessionStream } from '@sheaf/wire';
import { writeAll } from './write-all.ts';

export class SessionEnd implements SessionHandlers {
  /**
   * How the command ended; settles once everything that came before is written.
   * Rejects with SheafError where it could not be started or was cut off, ConnectionError, or BrokenPipe.
   */
  readonly code: Promise<number>;
  readonly #resolve: (code: number) => void;
  readonly #reject: (error: unknown) => void;
  #written: Promise<void> = Promise.resolve();

  constructor() {
    let settle: { resolve: (code: number) => void; reject: (error: unknown) => void } | undefined;
    this.code = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    this.#resolve = (code) => settle?.resolve(code);
    this.#reject = (error) => settle?.reject(error);
    // Nobody may be waiting for it yet.
    this.code.catch(() => undefined);
  }

  data(stream: SessionStream, bytes: Uint8Array): Promise<void> {
    this.#written = this.#written.then(() => writeAll(stream === 'stderr' ? 2 : 1, bytes));
    this.#written.catch(this.#reject);
    return this.#written;
  }

  control(control: SessionControl): void {
    if (control.type === 'exit') {
      this.#written.then(() => this.#resolve(control.code), this.#reject);
    } else if (control.type === 'failed') {
      const code = isErrorCode(control.code) ? control.code : 'internal';
      const error = new SheafError(
        code,
        control.message,
        control.next === undefined ? {} : { next: control.next },
      );
      this.#written.then(() => this.#reject(error), this.#reject);
    }
  }

  closed(): void {
    // Has no effect where the end was told before.
    this.#written.then(
      () =>
        this.#reject(new ConnectionError('The connection to the server broke, and the command was stopped.')),
      this.#reject,
    );
  }
}
