/** A worker under test: real files and HTTP, scripted runs on a machine that outlives the worker. */
import { RestClient } from '@sheaf/client';
import { nodeTransport, type NodeTransport } from '@sheaf/client/node';
import type { Runtime } from '@sheaf/runtimes';
import { ScriptedMachine, ScriptedRuntime } from '@sheaf/runtimes/testing';
import { eventually } from '@sheaf/testkit';
import type { RunReport } from '@sheaf/wire';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../clock.ts';
import type { Log } from '../log.ts';
import { startWorker, type RunningWorker } from '../main.ts';
import type { Runtimes } from '../run/runtimes.ts';
import { unlimitedRuns, type Settings } from '../settings/settings.ts';
import { ProtocolServer } from './protocol-server.ts';

export const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export class WorkerBench {
  readonly server: ProtocolServer;
  readonly machine: ScriptedMachine;
  readonly workDirectory = mkdtempSync(join(tmpdir(), 'sheaf-worker-'));
  readonly logged: string[] = [];
  worker: RunningWorker | undefined;
  /** Milliseconds by which somebody has set the machine's clock. */
  clockSetBy = 0;
  #transport: NodeTransport | undefined;

  private constructor(server: ProtocolServer, machine: ScriptedMachine) {
    this.server = server;
    this.machine = machine;
  }

  static async open(machine = new ScriptedMachine()): Promise<WorkerBench> {
    return new WorkerBench(await ProtocolServer.start(), machine);
  }

  settings(changes: Partial<Settings> = {}): Settings {
    return {
      server: this.server.url,
      workDirectory: this.workDirectory,
      id: 'bench',
      tag: null,
      tagExclusive: false,
      group: null,
      slots: null,
      cpus: 'all',
      gpus: [],
      maximumMemory: null,
      cacheLimit: 1 << 30,
      maximumImageSize: null,
      imageCacheLimit: null,
      runtime: 'auto',
      networkPrefix: null,
      sharedMemory: 1 << 30,
      exitWhenIdle: false,
      idleSeconds: 0,
      exitAfterRuns: unlimitedRuns,
      passDownTermination: false,
      preemptible: false,
      downloadAttempts: 3,
      verifyDependencies: false,
      sharedFileSystem: false,
      deleteWorkDirectoryOnExit: false,
      localStore: null,
      verbose: false,
      ...changes,
    };
  }

  /** Starts a worker; another one is a new process as far as the code can tell, except for memory it does not use. */
  async start(
    changes: Partial<Settings> = {},
    runtimes: Runtimes = { primary: new ScriptedRuntime(this.machine), fallback: undefined },
  ): Promise<RunningWorker> {
    this.#transport = nodeTransport();
    const note = (_: object, message: string) => void this.logged.push(message);
    this.worker = await startWorker(this.settings(changes), {
      client: new RestClient({ address: this.server.url, transport: this.#transport }),
      environment: {},
      secrets: [],
      clock: { ...systemClock, now: () => systemClock.now() + this.clockSetBy },
      // Short pauses, so that tests need not wait.
      random: () => 0,
      log: { ...silent, info: note, warn: note, error: note },
      openRuntimes: () => Promise.resolve(runtimes),
    });
    return this.worker;
  }

  async stopWorker(): Promise<void> {
    await this.worker?.stop();
    this.worker = undefined;
    this.#transport?.close();
  }

  runDirectory(uuid: string): string {
    return join(this.workDirectory, 'runs', uuid);
  }

  /** Whether anything of the run is left on the worker's machine. */
  hasTraces(uuid: string): boolean {
    return (
      existsSync(this.runDirectory(uuid)) ||
      existsSync(join(this.workDirectory, 'runs-state', `${uuid}.json`)) ||
      this.machine.specifications.some((specification) => specification.uuid === uuid)
    );
  }

  reported(uuid: string, state: RunReport['state'], matches: (report: RunReport) => boolean = () => true) {
    return eventually(`report ${state} of ${uuid}`, () =>
      this.server.reportsOf(uuid).find((report) => report.state === state && matches(report)),
    );
  }

  /** Waits until the run has left no trace, and answers its last report. */
  async finished(uuid: string): Promise<RunReport> {
    const report = await this.reported(uuid, 'finalizing');
    await eventually(`no trace of ${uuid}`, () => (this.hasTraces(uuid) ? undefined : true));
    return report;
  }

  async close(): Promise<void> {
    await this.stopWorker();
    await this.server.goAway();
    for (const { uuid, epoch } of this.machine.specifications) this.machine.remove(`${uuid}.${epoch}`);
    rmSync(this.workDirectory, { recursive: true, force: true });
  }
}

/** A runtime with some of its methods replaced. */
export function changedRuntime(runtime: Runtime, changes: Partial<Runtime>): Runtime {
  return new Proxy(runtime, {
    get(target, name) {
      const value: unknown = Reflect.get(name in changes ? changes : target, name);
      return typeof value === 'function' ? value.bind(name in changes ? changes : target) : value;
    },
  });
}
