/* A worker besides the one of the installation: with a directory, an owner, and perhaps a host of its own. */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '@sheaf/testkit';
import type { Installation, RuntimeChoice } from './installation.ts';
import { end, launch } from './launch.ts';

export interface WorkerOptions {
  readonly id: string;
  readonly flags?: readonly string[];
  /** File with name and password of its owner; the administrator's unless given. */
  readonly credentials?: string;
  readonly host?: Host;
  /** Where it finds the server, if not at its own address. */
  readonly server?: string;
  readonly runtime?: RuntimeChoice;
  readonly environment?: Readonly<Record<string, string>>;
  /** Its work directory, if that is to be a certain one. */
  readonly directory?: string;
}

export class WorkerMachine {
  readonly id: string;
  readonly directory: string;
  process: ChildProcess | undefined;
  readonly #installation: Installation;
  readonly #options: WorkerOptions;
  readonly #log: string;

  constructor(installation: Installation, options: WorkerOptions) {
    this.id = options.id;
    this.#installation = installation;
    this.#options = options;
    const home = join(installation.home, 'workers', options.id);
    mkdirSync(home, { recursive: true });
    this.directory = options.directory ?? join(home, 'work');
    this.#log = join(home, 'log');
  }

  static async start(installation: Installation, options: WorkerOptions): Promise<WorkerMachine> {
    const machine = new WorkerMachine(installation, options);
    await machine.start();
    return machine;
  }

  async start(): Promise<void> {
    const { host, credentials, server, runtime, environment, flags } = this.#options;
    const given = {
      '--server': server ?? this.#installation.url,
      '--credentials': credentials ?? join(this.#installation.home, 'administrator.json'),
      '--work-dir': this.directory,
      '--id': this.id,
      '--runtime': runtime ?? this.#installation.runtime,
    };
    const words = ['build/worker/process.js', ...Object.entries(given).flat(), ...(flags ?? [])];
    const { child } = await launch(`worker ${this.id}`, words, {
      log: this.#log,
      environment: { SHEAF_HOME: join(this.#installation.home, 'workers', this.id), ...environment },
      before: host?.words ?? [],
    });
    this.process = child;
  }

  /** Ends it; SIGKILL is the crash of a worker. */
  end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    return end(this.process, signal);
  }

  /** The directory in which a run executes. */
  runDirectory(uuid: string): string {
    return join(this.directory, 'runs', uuid);
  }

  get log(): string {
    return readFileSync(this.#log, 'utf8');
  }
}
