/** Waits for a bundle to become final: the server answers when something has changed; nothing is polled. */
import { awaitChange, ConnectionError, type RestClient } from '@sheaf/client';
import { isFinal, type BundleState } from '@sheaf/domain';
import { SheafError, type BundleChange } from '@sheaf/wire';

/** Seconds the server is asked to hold a question; shorter than the patience of proxies. */
const heldFor = 55;
/** Milliseconds that a server may be away for. */
const patience = 600_000;
const longestPause = 10_000;

export interface WatchOptions {
  /** Told once when the server is away, and once when it is back. */
  readonly onOutage: (message: string) => void;
  /** Told of every change, the first look included. */
  readonly onChange?: (change: BundleChange) => void;
  readonly signal?: AbortSignal;
}

/** The state of one bundle, kept up to date for those who wait for it. */
export class BundleWatch {
  readonly #client: RestClient;
  readonly #uuid: string;
  readonly #options: WatchOptions;
  #seen: Pick<BundleChange, 'version' | 'details_tag'> = { version: 0 };
  #latest: BundleChange | undefined;
  #next: Promise<BundleChange> | undefined;

  constructor(client: RestClient, uuid: string, options: WatchOptions) {
    this.#client = client;
    this.#uuid = uuid;
    this.#options = options;
  }

  /** Whether the last state that is known is final. */
  get isFinal(): boolean {
    return this.#latest !== undefined && isFinal(this.#latest.state as BundleState);
  }

  /** The next change, or the last one where no other can follow. Several may wait at once. */
  changed(): Promise<BundleChange> {
    if (this.#latest !== undefined && this.isFinal) return Promise.resolve(this.#latest);
    this.#next ??= this.#ask().finally(() => {
      this.#next = undefined;
    });
    return this.#next;
  }

  /** @throws SheafError where the bundle cannot be read, or is deleted meanwhile. */
  async final(): Promise<BundleChange> {
    for (;;) {
      const change = await this.changed();
      if (isFinal(change.state as BundleState)) return change;
    }
  }

  /** Goes on through the time-outs of the server's holding. */
  async #ask(): Promise<BundleChange> {
    for (;;) {
      const change = await this.#through(() =>
        awaitChange(this.#client, this.#uuid, this.#seen, heldFor, this.#options.signal),
      );
      const { version, details_tag } = this.#seen;
      const isNews =
        this.#latest === undefined || change.version > version || change.details_tag !== details_tag;
      this.#latest = change;
      this.#seen = { ...change, version: Math.max(version, change.version) };
      if (isNews) this.#options.onChange?.(change);
      if (isNews || isFinal(change.state as BundleState)) return change;
    }
  }

  /** Survives a server that is restarted. */
  async #through<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    let lostAt: number | undefined;
    for (let pause = 500; ; pause = Math.min(2 * pause, longestPause)) {
      try {
        const answer = await ask();
        if (lostAt !== undefined) this.#options.onOutage('The server is back.');
        return answer;
      } catch (error) {
        if (!isOutage(error) || this.#options.signal?.aborted === true) throw error;
        if (lostAt === undefined) this.#options.onOutage(`${messageOf(error)} Waiting for it to come back.`);
        lostAt ??= Date.now();
        if (Date.now() - lostAt > patience) throw error;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }
}

export function isOutage(error: unknown): boolean {
  return error instanceof ConnectionError || (error instanceof SheafError && error.status >= 500);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
