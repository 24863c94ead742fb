/** A worker at work: its loops, and the ways it ends. */
import type { SessionChannel, SessionHandlers, WorkerProtocol } from '@sheaf/client';
import type { RunMessage, RunReportInput } from '@sheaf/wire';
import { Acknowledgements } from './agent/acknowledgements.ts';
import { CheckinLoop } from './agent/checkin-loop.ts';
import { describeWorker } from './agent/description.ts';
import { reasonToLeave } from './agent/leaving.ts';
import { MessageHandler } from './agent/message-handler.ts';
import { Reporter } from './agent/reporter.ts';
import { loadOf } from './agent/slots.ts';
import { messageOf } from './errors.ts';
import { diskSpace } from './fingerprint/disk.ts';
import type { Machine } from './fingerprint/machine.ts';
import { Prefetcher } from './prefetch/prefetcher.ts';
import { ReadService } from './reads/service.ts';
import { SessionService } from './sessions/service.ts';
import { HeldRuns } from './run/held-runs.ts';
import type { RunRecord } from './run/record.ts';
import type { SavedRuns } from './run/saved-runs.ts';
import type { RunTools } from './run/tools.ts';
import { DiskRoom } from './resources/disk-room.ts';
import { unlimitedRuns, type Settings } from './settings/settings.ts';
import { atMost, openPromise } from './settling.ts';

export interface WorkerParts {
  readonly settings: Settings;
  readonly machine: Machine;
  readonly protocol: WorkerProtocol;
  /** Connects the worker's end of a session. */
  readonly connectSession: (socketId: number, handlers: SessionHandlers) => Promise<SessionChannel>;
  readonly tools: Omit<RunTools, 'shutdown'>;
  readonly saved: SavedRuns;
  /** The directory of all run directories. */
  readonly runDirectories: string;
  /** Random name of the work directory. */
  readonly instance: string;
  /** Called a while after the last run has gone. */
  readonly idle: () => void;
  /** Lets go of everything else, once nothing happens any more. */
  readonly close: (left: { readonly runs: number }) => Promise<void>;
}

/** Milliseconds to give runs back, and to tell the server, before the worker ends all the same. */
const givingBackTime = 60_000;
const farewellTime = 10_000;
/** Milliseconds without runs until the worker tidies up. */
const idleAfter = 3000;
const hour = 3_600_000;

export class Worker {
  /** Resolves when the worker has ended, by itself or because it was told to. */
  readonly ended: Promise<void>;
  readonly #parts: WorkerParts;
  readonly #shutdown = new AbortController();
  readonly #runs: HeldRuns;
  readonly #checkins: CheckinLoop;
  readonly #prefetcher: Prefetcher;
  readonly #reporter: Reporter;
  readonly #sessions: SessionService;
  readonly #handler: MessageHandler;
  readonly #disk: DiskRoom;
  readonly #acknowledgements = new Acknowledgements();
  readonly #endedNow: () => void;
  readonly #first: { resolve: () => void; reject: (error: unknown) => void; promise: Promise<void> };
  #looping: Promise<void> = Promise.resolve();
  #started = 0;
  #busyUntil: number;
  #greeted = false;
  #terminating = false;
  #draining = false;
  #stopping: Promise<void> | undefined;
  #leavingTimer: NodeJS.Timeout | undefined;
  #upkeep: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    const { settings, protocol, saved, runDirectories, machine } = parts;
    const { clock, random, log } = parts.tools;
    const signal = this.#shutdown.signal;
    const tools: RunTools = { ...parts.tools, shutdown: signal };
    this.#busyUntil = clock.elapsed();
    this.#first = openPromise();
    const ended = openPromise();
    this.ended = ended.promise;
    this.#endedNow = ended.resolve;
    this.#runs = new HeldRuns({
      tools,
      saved,
      workerId: settings.id,
      directory: runDirectories,
      changed: (uuid, urgency) => this.#reporter.changed(uuid, urgency),
      countChanged: () => this.#noteCount(),
    });
    this.#disk = new DiskRoom({
      space: () => diskSpace(settings.workDirectory),
      makeRoom: async () => {
        if (await tools.diskIsFull()) this.#runs.meetFullDisk();
        await Promise.all([tools.cache.clearUnused(), tools.unsent.clear({ all: true })]);
      },
      changed: () => this.#checkins.wake(),
      clock,
      log,
    });
    this.#prefetcher = new Prefetcher({
      ...tools,
      maximumImageSize: settings.maximumImageSize,
      holds: (uuid) => this.#runs.get(uuid) !== undefined,
      signal,
    });
    const reads = new ReadService({ runs: this.#runs, runtimes: tools.runtimes, protocol, signal, log });
    this.#sessions = new SessionService({
      runs: this.#runs,
      runtimes: tools.runtimes,
      connect: parts.connectSession,
      signal,
      log,
    });
    this.#handler = new MessageHandler({
      runs: this.#runs,
      acknowledgements: this.#acknowledgements,
      acceptsRuns: () => !this.#takesNoMore && this.#runsLeft > 0 && !this.#disk.isFull,
      askLeave: (message) => this.#askLeave(message, machine.hostname),
      started: () => {
        this.#started += 1;
      },
      serve: (message) => reads.serve(message),
      openSession: (message) => this.#sessions.open(message),
      prefetch: (message) => this.#prefetcher.hint(message),
      log,
    });
    const common = { acknowledgements: this.#acknowledgements, clock, random, log };
    const handle = (messages: readonly unknown[]) => this.#handler.handle(messages);
    this.#reporter = new Reporter({
      ...common,
      handle,
      signal,
      send: async (report, stop) => {
        const messages = await protocol.report(report, stop);
        this.#runs.delivered(report.runs);
        return messages;
      },
      reports: (uuids) => this.#runs.reports(uuids),
      unknown: () => this.#checkins.wake(),
    });
    let reported: RunReportInput[] = [];
    this.#checkins = new CheckinLoop({
      ...common,
      handle,
      checkin: async (checkin, stop) => {
        const messages = await protocol.checkin(checkin, stop);
        this.#runs.delivered(reported);
        return messages;
      },
      describe: async () =>
        describeWorker({
          settings,
          machine,
          runtimes: tools.runtimes,
          freeDisk: await this.#disk.free(),
          dependencies: tools.cache.keys,
          runs: (reported = this.#runs.reports()),
          load: loadOf(this.#runs.all.map(({ record }) => record)),
          instance: parts.instance,
          runsLeft: this.#runsLeft,
          terminating: this.#takesNoMore,
        }),
      succeeded: () => this.#noteContact(),
      failed: (error) => this.#first.reject(error),
    });
  }

  get runs(): HeldRuns {
    return this.#runs;
  }

  /**
   * Goes on with the runs of an earlier process, and checks in. Returns when the server has answered.
   * @throws whatever the first check-in failed with, unless `stubborn`: then it is tried until the server is there
   */
  async start(
    records: readonly RunRecord[],
    options: { stubborn: (error: unknown) => boolean },
  ): Promise<void> {
    for (const record of records) this.#runs.recover(record);
    const { signal } = this.#shutdown;
    this.#looping = Promise.all([this.#checkins.run(signal), this.#disk.watch(signal)]).then(() => undefined);
    const { unsent } = this.#parts.tools;
    void unsent.clear();
    this.#upkeep = setInterval(() => void unsent.clear(), hour).unref();
    const { exitWhenIdle, exitAfterRuns } = this.#parts.settings;
    if (exitWhenIdle || exitAfterRuns < unlimitedRuns) this.#watchForLeave();
    try {
      await this.#first.promise;
    } catch (error) {
      if (!options.stubborn(error)) throw error;
      const { log } = this.#parts.tools;
      log.warn({ error: messageOf(error) }, 'the server is away; runs go on, and it is tried again');
    }
  }

  /** Takes no more runs, finishes those it has, and ends. Told again, nothing more happens. */
  drain(): void {
    if (this.#takesNoMore) return;
    this.#draining = true;
    this.#parts.tools.log.info(
      { runs: this.#runs.count },
      'no more runs are taken; the worker ends after those it has',
    );
    // The server gives the others what is waiting here and has not begun.
    this.#checkins.wake();
    this.#watchForLeave();
  }

  /** Ends the worker: its runs are left to the next one, or given back to the server where the settings say so. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const { settings, tools, saved, protocol } = this.#parts;
    this.#terminating = true;
    clearInterval(this.#leavingTimer);
    clearInterval(this.#upkeep);
    clearTimeout(this.#idleTimer);
    if (settings.passDownTermination) await this.#giveBackRuns();
    this.#shutdown.abort(new Error('the worker ends'));
    await Promise.all([
      this.#runs.settled(),
      this.#looping,
      this.#prefetcher.settled(),
      this.#sessions.settled(),
    ]);
    const held = this.#runs.all.length;
    await Promise.all([saved.settle(), tools.cache.settle(), tools.images.settle()]);
    if (held === 0 && this.#checkins.wasInTouch) await this.#sayGoodbye(protocol);
    await this.#parts.close({ runs: held });
    if (this.#greeted) tools.log.info({ runs: held }, 'worker ended');
    this.#endedNow();
  }

  /** Runs whose results the server has already are left to finish. */
  async #giveBackRuns(): Promise<void> {
    const { log } = this.#parts.tools;
    for (const run of this.#runs.all) {
      if (run.record.step !== 'finish') run.kill({ kind: 'restage', message: 'the worker ends' });
    }
    // From now on the server gives this worker nothing more.
    this.#checkins.wake();
    await atMost(givingBackTime, this.#runs.settled());
    if (await atMost(farewellTime, this.#reporter.settled())) await this.#runs.forgetRestaged();
    else log.warn({}, 'the server could not be told that runs are given back');
  }

  async #sayGoodbye(protocol: WorkerProtocol): Promise<void> {
    try {
      await protocol.checkout(AbortSignal.timeout(3000));
    } catch (error) {
      // It notices by itself, a little later.
      this.#parts.tools.log.debug(
        { error: messageOf(error) },
        'the server was not told that the worker ends',
      );
    }
  }

  get #takesNoMore(): boolean {
    return this.#terminating || this.#draining;
  }

  #watchForLeave(): void {
    this.#leavingTimer ??= setInterval(() => this.#leaveIfDone(), 1000);
  }

  get #runsLeft(): number {
    return Math.max(0, this.#parts.settings.exitAfterRuns - this.#started);
  }

  #askLeave(message: RunMessage, hostname: string): Promise<boolean> {
    const { protocol, tools } = this.#parts;
    return protocol.startBundle(
      message.bundle.uuid,
      { hostname, start_time: Math.floor(tools.clock.now() / 1000), epoch: message.epoch },
      this.#shutdown.signal,
    );
  }

  #noteContact(): void {
    if (this.#greeted) return;
    this.#greeted = true;
    const { settings, machine, tools } = this.#parts;
    const { cpus, gpus, memory } = machine;
    const runtime = tools.runtimes.primary.name;
    const offer = { cpus: cpus.length, gpus: gpus.length, memory, runtime };
    // Start scripts wait for these very words.
    tools.log.info({ id: settings.id, server: settings.server, ...offer }, 'Worker started!');
    this.#first.resolve();
    this.#reporter.open();
  }

  #noteCount(): void {
    const { tools, idle } = this.#parts;
    this.#busyUntil = tools.clock.elapsed();
    clearTimeout(this.#idleTimer);
    if (this.#runs.count === 0) this.#idleTimer = setTimeout(idle, idleAfter).unref();
  }

  #leaveIfDone(): void {
    const { settings, tools } = this.#parts;
    const reason = reasonToLeave(settings, {
      runs: this.#runs.count + this.#handler.asking,
      draining: this.#draining,
      started: this.#started,
      idleSeconds: (tools.clock.elapsed() - this.#busyUntil) / 1000,
      inTouch: this.#checkins.inTouch,
    });
    if (reason === undefined || this.#stopping !== undefined) return;
    tools.log.info({ reason }, 'nothing left to do');
    void this.stop();
  }
}
