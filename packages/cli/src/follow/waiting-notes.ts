/*
 * Tells somebody who waits for a bundle why it does not go on: once that takes longer than a moment, and again when the reason has
 * changed.
 */
import { awaitChange, type RestClient } from '@sheaf/client';
import type { BundleChange } from '@sheaf/wire';
import { waitingText } from '../render/waiting.ts';
import { BundleWatch } from './bundle-watch.ts';

/** Milliseconds that everything takes now and then. */
const moment = 2_000;
/** Milliseconds after which is asked what the dependencies of a bundle do meanwhile: their changes are none of the bundle. */
const dependencyPause = 15_000;

export interface WaitingNotesOptions {
  readonly client: RestClient;
  readonly uuid: string;
  readonly note: (line: string) => void;
  /** Milliseconds before the first note. */
  readonly patience?: number;
}

export class WaitingNotes {
  readonly #options: WaitingNotesOptions;
  #timer: NodeJS.Timeout | undefined;
  #said: string | undefined;
  readonly #stop = new AbortController();

  constructor(options: WaitingNotesOptions) {
    this.#options = options;
  }

  /** Watches the bundle itself, for those who follow its files and hear of its changes late. */
  watch(): void {
    const { client, uuid } = this.#options;
    this.#later(this.#patience / 2, () => {
      const watch = new BundleWatch(client, uuid, {
        onOutage: () => undefined,
        onChange: (change) => this.changed(change),
        signal: this.#stop.signal,
      });
      // Whoever follows the files meets the same error, and says so.
      watch.final().catch(() => undefined);
    });
  }

  /** To be told of every change. */
  changed(change: BundleChange): void {
    clearTimeout(this.#timer);
    if (this.#stop.signal.aborted || waitingText(change.state, change.state_details) === undefined) return;
    this.#later(this.#patience, () => this.#say(change));
  }

  stop(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  get #patience(): number {
    return this.#options.patience ?? moment;
  }

  #say(change: BundleChange): void {
    const text = waitingText(change.state, change.state_details);
    if (text !== undefined && text !== this.#said) {
      this.#said = text;
      this.#options.note(text);
    }
    if (change.state === 'created') this.#later(dependencyPause, () => void this.#lookAgain());
  }

  async #lookAgain(): Promise<void> {
    const change = await this.#ask();
    if (!this.#stop.signal.aborted && change?.state === 'created') this.#say(change);
  }

  /** Whoever waits for the bundle finds out by itself that the server is away, and says so. */
  async #ask(): Promise<BundleChange | undefined> {
    const { client, uuid } = this.#options;
    return await awaitChange(client, uuid, { version: 0 }, 0).catch(() => undefined);
  }

  /** Never keeps the program from ending. */
  #later(milliseconds: number, act: () => void): void {
    this.#timer = setTimeout(act, milliseconds);
    this.#timer.unref();
  }
}
