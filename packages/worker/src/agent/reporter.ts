/**
 * Tells the server at once when something about a run changes, while the check-in is held. Changes that come while a report is
 * on its way go together with the next one.
 */
import { SheafError, type RunReportInput } from '@sheaf/wire';
import { pauseAfter } from '../back-off.ts';
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Acknowledgements } from './acknowledgements.ts';

export interface ReporterOptions {
  readonly send: (
    report: { readonly runs: readonly RunReportInput[]; readonly ack: readonly number[] },
    signal: AbortSignal,
  ) => Promise<unknown[]>;
  readonly reports: (uuids: ReadonlySet<string>) => RunReportInput[];
  readonly handle: (messages: readonly unknown[]) => Promise<boolean>;
  /** The server has forgotten the worker, and wants a check-in first. */
  readonly unknown: () => void;
  readonly acknowledgements: Acknowledgements;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

const backOff = { first: 250, longest: 30_000 };
/** Milliseconds that what is not urgent waits for company: a run of a moment is told of in a few reports instead of one a step. */
const leisure = 100;

/** Whether somebody waits for it: a change of state is told at once, words about it a little later. */
export type Urgency = 'now' | 'soon';

export class Reporter {
  readonly #options: ReporterOptions;
  #changed = new Set<string>();
  /** There is something in it that does not wait for company. */
  #urgent = false;
  #soon: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  /** Nothing is sent before the first check-in: the server does not know the worker yet. */
  #open = false;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  open(): void {
    if (this.#open) return;
    this.#open = true;
    this.#hurry();
  }

  changed(uuid: string, urgency: Urgency): void {
    this.#changed.add(uuid);
    if (urgency === 'now') this.#hurry();
    else this.#wait();
  }

  /** Returns when everything that had changed is with the server, or the signal has fired. */
  async settled(): Promise<void> {
    if (this.#hasNews()) this.#hurry();
    while (this.#sending !== undefined) await this.#sending;
  }

  #wait(): void {
    this.#soon ??= setTimeout(() => this.#hurry(), leisure).unref();
  }

  #hurry(): void {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    this.#urgent = true;
    this.#wake();
  }

  #wake(): void {
    if (!this.#open || this.#sending !== undefined || this.#options.signal.aborted) return;
    // What changes in the same breath goes along.
    this.#sending = Promise.resolve()
      .then(() => this.#sendAll())
      .finally(() => {
        this.#sending = undefined;
        if (this.#urgent) this.#wake();
        else if (this.#hasNews()) this.#wait();
      });
  }

  #hasNews(): boolean {
    return this.#changed.size > 0 || this.#options.acknowledgements.waiting;
  }

  async #sendAll(): Promise<void> {
    const { signal, clock, random, log } = this.#options;
    let failures = 0;
    while (this.#urgent && !signal.aborted) {
      const uuids = this.#changed;
      this.#changed = new Set();
      this.#urgent = false;
      try {
        await this.#send(uuids);
        failures = 0;
      } catch (error) {
        for (const uuid of uuids) this.#changed.add(uuid);
        this.#urgent = true;
        if (signal.aborted) return;
        failures += 1;
        log.debug({ error: messageOf(error), failures }, 'report failed');
        if (error instanceof SheafError && error.code === 'conflict') this.#options.unknown();
        await clock.sleep(pauseAfter(failures, backOff, random()), signal).catch(() => undefined);
      }
    }
  }

  async #send(uuids: ReadonlySet<string>): Promise<void> {
    const { acknowledgements, signal } = this.#options;
    const runs = this.#options.reports(uuids);
    const ack = acknowledgements.take();
    if (runs.length === 0 && ack.length === 0) return;
    const messages = await this.#options.send({ runs, ack }, signal);
    await this.#options.handle(messages.filter((message) => message !== null));
  }
}
