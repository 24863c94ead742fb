/** A run this worker holds: its record, what is seen of it right now, and the signals that interrupt it. */
import type { Urgency } from '../agent/reporter.ts';
import { isDiskFull, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { Interruption, strongerCause } from './interruption.ts';
import { isExecuting, type KillCause, type RunRecord, type Step } from './record.ts';
import { containerSeconds, nothingSeen, reportedState, type LiveState } from './report.ts';
import type { SavedRuns } from './saved-runs.ts';
import type { Stopwatch } from './stopwatch.ts';
import { enterStep } from './stage-times.ts';
import { Throttle } from './throttle.ts';
import { UnsentSamples } from './unsent-samples.ts';
import { UsageMeter } from './usage-meter.ts';

export interface HeldRunOptions {
  readonly record: RunRecord;
  /** Host path of the run directory. */
  readonly directory: string;
  /** An earlier process may have got further than the record says. */
  readonly recovered: boolean;
  readonly saved: SavedRuns;
  readonly log: Log;
  /** Called whenever there is something new to report. */
  readonly changed: (urgency: Urgency) => void;
}

export class HeldRun {
  readonly record: RunRecord;
  readonly directory: string;
  readonly recovered: boolean;
  readonly meter: UsageMeter;
  readonly samples = new UnsentSamples();
  /** While the command ran, there was a moment at which nothing more could be written. */
  metFullDisk = false;
  /** Runs since this worker watches the command. */
  stopwatch: Stopwatch | undefined;
  /** Resolves once the command will write nothing more. */
  readonly commandEnded: Promise<void>;
  /** Resolves once the server has taken note of the end. */
  readonly finalized: Promise<void>;
  readonly #options: HeldRunOptions;
  readonly #endCommand: () => void;
  readonly #finalize: () => void;
  #live: LiveState = nothingSeen;
  #interrupt = new AbortController();
  readonly #saying: Throttle;

  constructor(options: HeldRunOptions) {
    this.#options = options;
    this.#saying = new Throttle(1000, () => options.changed('soon'));
    this.record = options.record;
    this.directory = options.directory;
    this.recovered = options.recovered;
    this.meter = new UsageMeter(options.record, { adopted: options.recovered });
    const ended = openPromise();
    const finalized = openPromise();
    this.commandEnded = ended.promise;
    this.#endCommand = ended.resolve;
    this.finalized = finalized.promise;
    this.#finalize = finalized.resolve;
    const { step, kill } = this.record;
    if (!isExecuting(step)) this.#endCommand();
    else if (kill !== null) this.#interruptWith(kill);
  }

  get uuid(): string {
    return this.record.uuid;
  }

  get live(): LiveState {
    return this.#live;
  }

  /** For how long the command has run: so far, or in all. @param now milliseconds since the epoch */
  secondsRun(now: number): number {
    const isOver = this.record.finishedAt !== null;
    return isOver || this.stopwatch === undefined ? containerSeconds(this.record, now) : this.stopwatch();
  }

  /** Fires when somebody wants the run dead, with an Interruption; another one for each step. */
  get interrupted(): AbortSignal {
    return this.#interrupt.signal;
  }

  /** Words for the user about what happens now; empty for those that go with the step. Progress may come a thousand times a second. */
  say(status: string): void {
    this.#live = { ...this.#live, status };
    this.#saying.request();
  }

  notice(live: LiveState): void {
    this.#live = live;
    this.#options.changed('soon');
  }

  /** Wants the run dead. Told again, nothing more happens: the server repeats itself with every report. */
  kill(cause: KillCause): void {
    const counts = strongerCause(this.record.kill, cause);
    if (counts === this.record.kill) return;
    this.record.kill = counts;
    this.#interruptWith(counts);
    // A run at its end waits for nothing but the server's word; one that is dropped needs none.
    if (counts.kind === 'drop' && this.record.step === 'finish') this.#finalize();
    void this.save();
  }

  /** The step that was interrupted has done what the interruption asks for. */
  interruptionHandled(): void {
    this.#interrupt = new AbortController();
  }

  enter(step: Step, now: number): void {
    const before = reportedState(this.record.step);
    enterStep(this.record, step, now);
    this.#live = { ...this.#live, status: '' };
    if (!isExecuting(step)) this.#endCommand();
    // A command of a moment is over before anybody can look at it: that it runs is told with how it has ended.
    const waits = reportedState(step) === before || step === 'watch';
    this.#options.changed(waits ? 'soon' : 'now');
  }

  markFinalized(): void {
    if (this.record.step === 'finish') this.#finalize();
  }

  /** Returns when the record is on disk; a disk that fails is logged, and the run goes on without it. */
  async save(): Promise<void> {
    try {
      await this.#options.saved.save(this.record);
    } catch (error) {
      // What the command wrote in the same moment may not have found room either.
      if (isDiskFull(error)) this.metFullDisk = true;
      this.#options.log.error(
        { run: this.uuid, error: messageOf(error) },
        'the record of a run cannot be saved',
      );
    }
  }

  /** The record is on disk a moment later, together with what else happens until then. */
  saveSoon(): void {
    this.#options.saved.saveSoon(this.record, () => this.save());
  }

  #interruptWith(cause: KillCause): void {
    this.#interrupt.abort(new Interruption(cause));
  }
}

function openPromise(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
