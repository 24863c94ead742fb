/*
 * A worker as the server sees it: one check-in held, another connection for reports and for leave to start; what changes while a report
 * is on its way goes with the next one (packages/worker/src/agent). What it executes is a pause.
 */
import type { CheckinInput, RunMessage, RunReportInput, WorkerMessage } from '@sheaf/wire';
import { Connection } from './connection.ts';

export interface Heard {
  /** Milliseconds from a request to its answer. */
  answered(kind: 'start' | 'report' | 'check-in', milliseconds: number): void;
  /** A run message came, to a check-in that was sent at `sentAt` (milliseconds since the epoch). */
  given(uuid: string, epoch: number, sentAt: number, receivedAt: number): void;
  /** The server has made a run final. */
  ended(): void;
  refused(what: string): void;
}

export interface WorkerShape {
  readonly slots: number;
  /** Milliseconds: the shortest and the longest pause that stands for a command. */
  readonly command: readonly [number, number];
  /** Milliseconds until the command begins. */
  readonly preparation: number;
}

type State = 'preparing' | 'running' | 'finalizing';

interface HeldRun {
  readonly message: RunMessage;
  readonly acceptedAt: number;
  state: State;
  startedAt: number | undefined;
  finishedAt: number | undefined;
}

const gibibyte = 1024 ** 3;
/** Milliseconds, as of the worker's reporter (docs/decisions/0851). */
const leisure = 100;

export class SimulatedWorker {
  readonly #id: string;
  readonly #path: string;
  readonly #shape: () => WorkerShape;
  readonly #heard: Heard;
  readonly #held: Connection;
  readonly #talk: Connection;
  readonly #runs = new Map<string, HeldRun>();
  #changed = new Set<string>();
  #acknowledged: number[] = [];
  #soon: NodeJS.Timeout | undefined;
  #reporting = false;
  #stopped = false;

  constructor(url: string, token: string, number: number, shape: () => WorkerShape, heard: Heard) {
    this.#id = `bench-${number}`;
    this.#path = `/workers/${this.#id}`;
    this.#shape = shape;
    this.#heard = heard;
    this.#held = new Connection(url, token);
    this.#talk = new Connection(url, token);
  }

  /** Checks in once. */
  async arrive(): Promise<void> {
    await this.#held.ready();
    await this.#ask(this.#held, 'checkin', { ...this.#describe(), hold: 0 });
  }

  /** Checks in until it is stopped. */
  async run(): Promise<void> {
    await Promise.all([this.#held.ready(), this.#talk.ready()]);
    for (let hold = 0; !this.#stopped; hold = 30) {
      const sentAt = Date.now();
      const began = performance.now();
      const messages = await this.#ask(this.#held, 'checkin', { ...this.#describe(), hold });
      const took = performance.now() - began;
      // Longer ones were held; what they were answered with is timed by the messages.
      if (hold === 0) this.#heard.answered('check-in', took);
      await Promise.all(messages.map((message) => this.#handle(message, sentAt)));
    }
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#soon);
    this.#held.close();
    this.#talk.close();
  }

  async #ask(connection: Connection, what: string, body: unknown): Promise<WorkerMessage[]> {
    const answer = await connection.post(`${this.#path}/${what}`, body).catch((error: unknown) => {
      if (this.#stopped) return undefined;
      throw error;
    });
    if (answer === undefined) return [];
    if (answer.status !== 200) {
      this.#heard.refused(`${what}: ${answer.status} ${answer.body.slice(0, 200)}`);
      return [];
    }
    const messages = JSON.parse(answer.body) as (WorkerMessage | null)[];
    return messages.filter((message) => message !== null);
  }

  async #handle(message: WorkerMessage, sentAt: number): Promise<void> {
    if (message.type === 'mark_finalized') {
      if (this.#runs.delete(message.uuid)) this.#heard.ended();
    } else if (message.type === 'run') {
      await this.#accept(message, sentAt);
    }
    if (message.message_id !== undefined) {
      this.#acknowledged.push(message.message_id);
      this.#reportSoon();
    }
  }

  async #accept(message: RunMessage, sentAt: number): Promise<void> {
    const { uuid } = message.bundle;
    const epoch = message.epoch ?? 1;
    if (this.#runs.has(uuid)) return;
    this.#heard.given(uuid, epoch, sentAt, Date.now());
    const began = performance.now();
    const request = { hostname: this.#id, start_time: Math.floor(Date.now() / 1000), epoch };
    const answer = await this.#talk.post(`${this.#path}/start_bundle/${uuid}`, request);
    this.#heard.answered('start', performance.now() - began);
    if (answer.body !== 'true') return this.#heard.refused(`start: ${answer.status} ${answer.body}`);
    const run: HeldRun = {
      message,
      acceptedAt: Date.now(),
      state: 'preparing',
      startedAt: undefined,
      finishedAt: undefined,
    };
    this.#runs.set(uuid, run);
    this.#changed.add(uuid);
    this.#reportSoon();
    setTimeout(() => this.#begin(uuid, run), this.#shape().preparation);
  }

  #begin(uuid: string, run: HeldRun): void {
    run.startedAt = Date.now();
    this.#enter(uuid, run, 'running');
    const [shortest, longest] = this.#shape().command;
    setTimeout(
      () => {
        run.finishedAt = Date.now();
        this.#enter(uuid, run, 'finalizing');
      },
      shortest + Math.random() * (longest - shortest),
    );
  }

  #enter(uuid: string, run: HeldRun, state: State): void {
    run.state = state;
    this.#changed.add(uuid);
    // As of a worker (docs/decisions/0853).
    if (state === 'running') this.#reportSoon();
    else this.#report();
  }

  /** What nobody waits for goes along with the next change of a state, or a moment later. */
  #reportSoon(): void {
    this.#soon ??= setTimeout(() => this.#report(), leisure);
  }

  #report(): void {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    if (this.#reporting || this.#stopped) return;
    this.#reporting = true;
    // What changes in the same breath goes along.
    queueMicrotask(() => {
      this.#sendReports().catch((error: unknown) => this.#heard.refused(String(error)));
    });
  }

  async #sendReports(): Promise<void> {
    while ((this.#changed.size > 0 || this.#acknowledged.length > 0) && !this.#stopped) {
      const changed = this.#changed;
      this.#changed = new Set();
      const runs = [...changed].flatMap((uuid) => {
        const run = this.#runs.get(uuid);
        return run === undefined ? [] : [reportOf(run, this.#id)];
      });
      const began = performance.now();
      const messages = await this.#ask(this.#talk, 'report', { runs, ack: this.#takeAcknowledged() });
      this.#heard.answered('report', performance.now() - began);
      await Promise.all(messages.map((message) => this.#handle(message, began)));
    }
    this.#reporting = false;
  }

  #takeAcknowledged(): number[] {
    const taken = this.#acknowledged;
    this.#acknowledged = [];
    return taken;
  }

  #describe(): CheckinInput {
    const { slots } = this.#shape();
    return {
      protocol: 2,
      version: '1.0.0',
      instance: this.#id,
      hostname: this.#id,
      tag: null,
      tag_exclusive: false,
      group_name: null,
      cpus: slots,
      gpus: 0,
      memory_bytes: slots * 4 * gibibyte,
      free_disk_bytes: 500 * gibibyte,
      slots,
      runtime: { name: 'docker', images: true, description: 'Docker 20.10.24.' },
      dependencies: [],
      runs: [...this.#runs.values()].map((run) => reportOf(run, this.#id)),
      shared_file_system: false,
      exit_after_num_runs: 999_999_999,
      is_terminating: false,
      preemptible: false,
      ack: this.#takeAcknowledged(),
    };
  }
}

const words: Readonly<Record<State, string>> = {
  preparing: 'Preparing.',
  running: 'Running job in container.',
  finalizing: 'Finalizing bundle.',
};
const image = `python@sha256:${'5'.repeat(64)}`;

function reportOf(
  { message, acceptedAt, state, startedAt, finishedAt }: HeldRun,
  id: string,
): RunReportInput {
  const now = Date.now();
  const seconds = startedAt === undefined ? 0 : ((finishedAt ?? now) - startedAt) / 1000;
  const ran = startedAt !== undefined;
  return {
    uuid: message.bundle.uuid,
    epoch: message.epoch ?? 1,
    state,
    run_status: words[state],
    bundle_start_time: acceptedAt / 1000,
    container_time_total: seconds,
    container_time_user: 0,
    container_time_system: 0,
    docker_image: ran ? image : null,
    remote: id,
    runtime: 'docker',
    exitcode: state === 'finalizing' ? 0 : null,
    failure_message: null,
    bundle_profile_stats: {
      'RUN_STAGE.PREPARING': stage(acceptedAt, startedAt),
      ...(ran ? { 'RUN_STAGE.RUNNING': stage(startedAt, finishedAt) } : {}),
    },
    ...(ran ? { cpu_usage: 0.5, memory: 50_000_000, memory_usage: 0.0233, memory_max: 50_000_000 } : {}),
    disk_utilization: ran ? 4096 : 0,
  };
}

function stage(start: number, end: number | undefined) {
  return {
    start: start / 1000,
    end: end === undefined ? null : end / 1000,
    elapsed: end === undefined ? null : (end - start) / 1000,
  };
}
