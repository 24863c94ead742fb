/*
 * Brings what was committed to the disk without keeping the process from everything else: commits only hand their pages to the
 * operating system, and one sync of the log, off the event loop, takes all that were made before it (docs/decisions/0813).
 */
import { open } from 'node:fs/promises';

export class LogSync {
  readonly #sync: () => Promise<void>;
  readonly #close: () => Promise<void>;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #failure: Error | undefined;

  /** @param sync brings all that the log holds when it is called to the disk. */
  constructor(sync: () => Promise<void>, close: () => Promise<void>) {
    this.#sync = sync;
    this.#close = close;
  }

  /**
   * Returns when everything committed before the call is on the disk.
   * @throws Error the disk has failed to take it, now or earlier: what it holds of the log is not known until the database is opened again
   */
  synced(): Promise<void> {
    this.#next ??= this.#after(this.#running);
    return this.#next;
  }

  async #after(running: Promise<void>): Promise<void> {
    // Its failure is told to those who wait for it, and stays.
    await running.catch(() => undefined);
    this.#next = undefined;
    this.#running = this.#once();
    await this.#running;
  }

  async #once(): Promise<void> {
    if (this.#failure === undefined) {
      try {
        await this.#sync();
        return;
      } catch (error) {
        // A second sync would succeed, though the system may have dropped the pages that the first could not write.
        this.#failure = new Error(
          'The disk could not take what the database has committed. Look after the disk, then restart the server.',
          { cause: error },
        );
      }
    }
    throw this.#failure;
  }

  async close(): Promise<void> {
    await (this.#next ?? this.#running).catch(() => undefined);
    await this.#close();
  }
}

/** Of the log in this file, which has to be there. */
export async function openLogFile(file: string): Promise<LogSync> {
  const handle = await open(file, 'r+');
  return new LogSync(
    () => handle.datasync(),
    () => handle.close(),
  );
}
