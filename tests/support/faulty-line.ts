/* An installation whose worker reaches the server over a line that fails as a test wants it. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, Interposer, type Fate } from '@sheaf/testkit';
import type { BundleAttributes } from '@sheaf/wire';
import { Installation, type RuntimeChoice } from './installation.ts';
import { WorkerMachine } from './worker-machine.ts';

/** What results travel by. */
export const transfers = /\/transfer\//;

export const waitForFile = 'until [ -e go ]; do sleep 0.02; done';

export class FaultyLine {
  readonly installation: Installation;
  readonly worker: WorkerMachine;
  readonly line: Interposer;

  private constructor(installation: Installation, worker: WorkerMachine, line: Interposer) {
    this.installation = installation;
    this.worker = worker;
    this.line = line;
  }

  static async start(
    runtime: RuntimeChoice = 'sandbox',
    environment: Record<string, string> = {},
  ): Promise<FaultyLine> {
    const installation = new Installation(runtime, environment);
    await installation.startServer();
    const line = await Interposer.open(installation.url);
    const worker = await WorkerMachine.start(installation, { id: 'far', server: line.url });
    return new FaultyLine(installation, worker, line);
  }

  /** Starts a run whose command waits for a file before it goes on with `rest`, and waits until it runs. */
  async running(rest: string, ...flags: string[]): Promise<string> {
    const uuid = await this.installation.ok('run', `${waitForFile}; ${rest}`, ...flags);
    await this.installation.inState(uuid, 'running');
    await eventually('a run directory', () =>
      existsSync(this.worker.runDirectory(uuid)) ? true : undefined,
    );
    return uuid;
  }

  /** Lets the command of a run go on. */
  go(uuid: string): void {
    writeFileSync(join(this.worker.runDirectory(uuid), 'go'), '');
  }

  /** Results are treated like this from now on. */
  results(fate: Fate): void {
    this.line.fate = ({ path }) => (transfers.test(path) ? fate : 'pass');
  }

  /** Everything passes again, and what was stuck breaks. */
  repair(): void {
    this.line.fate = () => 'pass';
    this.line.breakAll();
  }

  /** Waits until the run says this while it is `running`. */
  says(uuid: string, words: RegExp): Promise<BundleAttributes> {
    return eventually(`${uuid} saying ${String(words)}`, async () => {
      const bundle = await this.installation.bundle(uuid);
      return bundle.state === 'running' && words.test(String(bundle.metadata['run_status']))
        ? bundle
        : undefined;
    });
  }

  /** A request is on its way that does not get any further. */
  async stuck(): Promise<void> {
    await eventually('a stuck request', () => (this.line.stuck > 0 ? true : undefined));
  }

  async stop(): Promise<void> {
    await this.worker.end();
    await this.line.close();
    await this.installation.stop();
  }
}
