/** All runs this worker holds: accepts new ones, passes messages on to them, and lets go of those that are over. */
import type { RunMessage, RunReportInput } from '@sheaf/wire';
import { join } from 'node:path';
import type { Urgency } from '../agent/reporter.ts';
import { messageOf } from '../errors.ts';
import { HeldRun } from './held-run.ts';
import { isExecuting, newRecord, type RunRecord } from './record.ts';
import { nothingSeen, reportOf } from './report.ts';
import { executeRun } from './run-loop.ts';
import type { SavedRuns } from './saved-runs.ts';
import { sharedDirectoryOf } from './shared-directory.ts';
import type { RunTools } from './tools.ts';

export interface HeldRunsOptions {
  readonly tools: RunTools;
  readonly saved: SavedRuns;
  readonly workerId: string;
  /** The directory of all run directories. */
  readonly directory: string;
  /** Something about a run has changed that the server should hear of. */
  readonly changed: (uuid: string, urgency: Urgency) => void;
  /** A run has come or gone. */
  readonly countChanged: () => void;
}

export class HeldRuns {
  readonly #options: HeldRunsOptions;
  readonly #runs = new Map<string, HeldRun>();
  /** Granted attempts that wait until an earlier one of the same run has left. */
  readonly #waiting = new Map<string, RunRecord>();
  /** Everything that still happens for a run, also after it is not reported any more. */
  readonly #loops = new Map<string, Promise<void>>();

  constructor(options: HeldRunsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#loops.size + this.#waiting.size;
  }

  get(uuid: string): HeldRun | undefined {
    return this.#runs.get(uuid);
  }

  get all(): HeldRun[] {
    return [...this.#runs.values()];
  }

  /** Nothing more can be written: commands that fail now may have failed because of it, whatever room is made afterwards. */
  meetFullDisk(): void {
    for (const run of this.all) if (isExecuting(run.record.step)) run.metFullDisk = true;
  }

  /** Whether this very attempt, or a later one, is here already. */
  holds(uuid: string, epoch: number): boolean {
    const known = this.#waiting.get(uuid) ?? this.#runs.get(uuid)?.record;
    return known !== undefined && known.epoch >= epoch;
  }

  /** Goes on with a run of an earlier process. */
  recover(record: RunRecord): void {
    this.#begin(record, true);
  }

  /**
   * Begins a run that the server has granted. An earlier attempt that is still here is dropped first: it is not this worker's any
   * more, and the new one waits until it has left. Returns when the run will survive a crash of the worker, or waits.
   */
  async accept(message: RunMessage): Promise<void> {
    const record = newRecord(message, this.#options.tools.clock.now());
    const earlier = this.#loops.get(record.uuid);
    if (earlier === undefined) return await this.#begin(record, false).save();
    this.#waiting.set(record.uuid, record);
    this.#runs.get(record.uuid)?.kill({ kind: 'drop', message: 'given to another attempt' });
    // Never fails: a loop ends one way or the other.
    void earlier.then(() => this.#beginWaiting(record));
  }

  kill(uuid: string, message: string): void {
    const waiting = this.#waiting.get(uuid);
    if (waiting === undefined) this.#runs.get(uuid)?.kill({ kind: 'request', message });
    else waiting.kill = { kind: 'request', message };
  }

  reports(uuids?: ReadonlySet<string>): RunReportInput[] {
    const { tools, workerId } = this.#options;
    const now = tools.clock.now();
    const held = this.all.filter(({ uuid }) => !this.#waiting.has(uuid));
    return [...this.#waiting.values(), ...held].flatMap((one) => {
      if (uuids !== undefined && !uuids.has(one.uuid)) return [];
      const [record, live] = one instanceof HeldRun ? [one.record, one.live] : [one, nothingSeen];
      const seconds = one instanceof HeldRun ? one.secondsRun(now) : 0;
      const report = reportOf(record, live, workerId, seconds);
      if (report === undefined) return [];
      const samples = one instanceof HeldRun ? one.samples.all : [];
      return samples.length === 0 ? report : { ...report, samples: [...samples] };
    });
  }

  /** The server has got these reports: their samples need not be sent again. */
  delivered(reports: readonly RunReportInput[]): void {
    for (const { uuid, samples } of reports) {
      const last = samples?.at(-1);
      if (last !== undefined) this.#runs.get(uuid)?.samples.delivered(last.at);
    }
  }

  /** Resolves when every run is at its end, or the worker has ended. */
  async settled(): Promise<void> {
    while (this.#loops.size > 0) await Promise.all(this.#loops.values());
  }

  /** Forgets runs that were given back, once the server knows. */
  async forgetRestaged(): Promise<void> {
    for (const run of this.all) {
      if (run.record.step !== 'restaged') continue;
      this.#runs.delete(run.uuid);
      await this.#options.saved.remove(run.uuid);
    }
  }

  #beginWaiting(record: RunRecord): void {
    if (this.#waiting.get(record.uuid) !== record) return;
    this.#waiting.delete(record.uuid);
    if (!this.#options.tools.shutdown.aborted) void this.#begin(record, false).save();
  }

  #begin(record: RunRecord, recovered: boolean): HeldRun {
    const { tools, saved, directory } = this.#options;
    const run = new HeldRun({
      record,
      recovered,
      saved,
      log: tools.log,
      directory: sharedDirectoryOf(record.message) ?? join(directory, record.uuid),
      changed: (urgency) => this.#options.changed(record.uuid, urgency),
    });
    this.#runs.set(record.uuid, run);
    if (recovered) this.#restore(record);
    const loop = this.#execute(run).finally(() => {
      if (this.#loops.get(run.uuid) === loop) this.#loops.delete(run.uuid);
      this.#options.countChanged();
    });
    this.#loops.set(record.uuid, loop);
    this.#options.countChanged();
    // Of a new one the server has just heard: it has granted it.
    this.#options.changed(record.uuid, recovered ? 'now' : 'soon');
    return run;
  }

  /** What the run held before the worker was started anew is its own again, before anybody else can take it. */
  #restore({ uuid, step, allocation, cached, image }: RunRecord): void {
    const { resources, cache, images } = this.#options.tools;
    if (allocation !== null && (step === 'start' || step === 'watch')) resources.restore(uuid, allocation);
    cache.hold(uuid, cached);
    if (image !== null) images.hold(uuid, image);
  }

  async #execute(run: HeldRun): Promise<void> {
    const { tools, saved } = this.#options;
    const gone = () => {
      if (this.#runs.get(run.uuid) === run) this.#runs.delete(run.uuid);
    };
    try {
      const end = await executeRun(run, tools, gone);
      tools.log.info({ run: run.uuid, end, failure: run.record.failure }, 'run over');
      if (end !== 'restaged') await saved.remove(run.uuid);
      else this.#options.changed(run.uuid, 'now');
    } catch (error) {
      if (tools.shutdown.aborted) return;
      // Nothing is known to lead here; the record stays, and the next worker has another look.
      tools.log.error({ run: run.uuid, error: messageOf(error) }, 'a run stopped working');
    }
  }
}
