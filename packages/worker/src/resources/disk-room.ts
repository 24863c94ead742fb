/**
 * Whether there is room on the worker's disk for more runs. A worker whose disk is full takes none, so that they go where they have
 * a chance, and makes room by giving up what it can fetch again (execution.md §31.5).
 */
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { DiskSpace } from '../fingerprint/disk.ts';
import type { Log } from '../log.ts';

export interface DiskRoomOptions {
  readonly space: () => Promise<DiskSpace | undefined>;
  /** Gives up what can be fetched again, or is only kept in case. */
  readonly makeRoom: () => Promise<void>;
  /** There is room again, or none any more: the server should hear of it. */
  readonly changed: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** Milliseconds between two looks. */
const pause = 2000;
const largestReserve = 256 * 1024 * 1024;

/** Bytes that stay free for what is under way: the records of runs, and the last words of their commands. */
export function reserveOf(total: number): number {
  return Math.min(largestReserve, Math.floor(total / 20));
}

export class DiskRoom {
  readonly #options: DiskRoomOptions;
  #full = false;

  constructor(options: DiskRoomOptions) {
    this.#options = options;
  }

  get isFull(): boolean {
    return this.#full;
  }

  /** Looks now. Answers the bytes that runs may count on: 0 for a disk that is as good as full, null where nobody knows. */
  async free(): Promise<number | null> {
    const space = await this.#options.space();
    if (space === undefined) return null;
    const reserve = reserveOf(space.total);
    // Twice the reserve to be trusted again: a disk at the edge must not change its mind with every look.
    const full = space.free < (this.#full ? 2 * reserve : reserve);
    if (full !== this.#full) {
      this.#full = full;
      this.#tell(space);
    }
    return full ? 0 : space.free;
  }

  /** Looks now and then, until the signal fires. Never fails. */
  async watch(signal: AbortSignal): Promise<void> {
    const { clock, log, makeRoom } = this.#options;
    while (!signal.aborted) {
      try {
        await this.free();
        if (this.#full) await makeRoom();
        await clock.sleep(pause, signal);
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ error: messageOf(error) }, 'the room on the disk cannot be looked after');
        await clock.sleep(pause, signal).catch(() => undefined);
      }
    }
  }

  #tell(space: DiskSpace): void {
    const { log, changed } = this.#options;
    if (this.#full) log.warn({ ...space }, 'the disk of the worker is full: it takes no more runs');
    else log.info({ ...space }, 'there is room on the disk again');
    changed();
  }
}
