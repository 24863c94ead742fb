/**
 * A Docker Engine of a test's own, to be stopped and started while others use the usual one. It lives on a host of its own
 * (a network namespace), because engines do not share the rules of a firewall.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  createReadStream,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineClient } from '@sheaf/runtimes/testing';
import { isErrno } from '../errno.ts';
import { eventually } from '../eventually.ts';
import type { Host } from '../hosts/network.ts';
import { runProcess } from '../processes.ts';
import { requireProgram } from './packages.ts';

export class PrivateEngine {
  readonly #directory = mkdtempSync(join(tmpdir(), 'sheaf-engine-'));
  readonly #host: Host;
  readonly #program: string;
  #process: ChildProcess | undefined;

  private constructor(host: Host, program: string) {
    this.#host = host;
    this.#program = program;
  }

  /** @throws SkipReason there is no dockerd, and it may not be installed */
  static async start(host: Host): Promise<PrivateEngine> {
    const engine = new PrivateEngine(host, await requireProgram('Docker', 'dockerd', 'docker.io'));
    await engine.start();
    return engine;
  }

  /** As DOCKER_HOST has it. */
  get address(): string {
    return `unix://${this.#socket}`;
  }

  get log(): string {
    return readFileSync(join(this.#directory, 'log'), 'utf8');
  }

  /** @param options.liveRestore containers outlive the engine, as where operators have set it up like that */
  async start(options: { readonly liveRestore?: boolean } = {}): Promise<void> {
    const log = openSync(join(this.#directory, 'log'), 'a');
    const [before = '', ...words] = this.#host.words;
    const places = {
      '--host': this.address,
      '--data-root': join(this.#directory, 'data'),
      '--exec-root': join(this.#directory, 'exec'),
      '--pidfile': join(this.#directory, 'pid'),
    };
    const flags = options.liveRestore === true ? ['--live-restore'] : [];
    this.#process = spawn(before, [...words, this.#program, ...Object.entries(places).flat(), ...flags], {
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    try {
      await eventually('an answer of the private engine', () => this.#answers(), 60_000);
    } catch (error) {
      throw new Error(`The private engine does not answer:\n${this.log.slice(-2000)}`, { cause: error });
    }
  }

  /** Ends it as the system does; its containers end with it, unless it was started to leave them alone. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** Ends it without a word; its containers go on until it is started again, which ends them. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
    // Its helper dies with it, but stays a zombie where nobody reaps orphans: the next engine would take it for alive.
    rmSync(join(this.#directory, 'exec/containerd/containerd.pid'), { force: true });
  }

  /** It stands still where it is, and so does what waits for it, until `resume`. */
  pause(): void {
    this.#process?.kill('SIGSTOP');
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  /** Names of all containers, also of those that have ended. */
  async containers(): Promise<string[]> {
    const listed = await runProcess('docker', [
      '--host',
      this.address,
      'ps',
      '--all',
      '--format',
      '{{.Names}}',
    ]);
    return listed.split('\n').filter(Boolean);
  }

  /** Makes an image of the archive of a root file system. */
  async importImage(archive: string, repository: string, tag: string): Promise<void> {
    const engine = await this.#connect();
    try {
      const progress = engine.importImage(createReadStream(archive), { repo: repository, tag });
      for await (const _ of progress);
    } finally {
      engine.close();
    }
  }

  async close(): Promise<void> {
    await this.stop();
    this.#killLeftovers();
    // What a crash of the engine has left mounted would keep its directory from being removed.
    const mounted = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '')
      .filter((path) => path.startsWith(`${this.#directory}/`))
      .toReversed();
    for (const path of mounted) await runProcess('umount', ['--lazy', path]);
    await runProcess('rm', ['-rf', this.#directory]);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  /** An engine that was killed leaves helpers behind. They are known by their words, which name its directory. */
  #killLeftovers(): void {
    for (const process_ of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const words = readFileSync(`/proc/${process_}/cmdline`, 'utf8');
        const isHelper = /^[^\0]*containerd/.test(words) && words.includes(this.#directory);
        if (isHelper) process.kill(Number(process_), 'SIGKILL');
      } catch (error) {
        // It has ended meanwhile.
        if (!isErrno(error, 'ENOENT', 'ESRCH')) throw error;
      }
    }
  }

  get #socket(): string {
    return join(this.#directory, 'engine.sock');
  }

  async #answers(): Promise<true | undefined> {
    try {
      (await this.#connect()).close();
      return true;
    } catch {
      return undefined;
    }
  }

  #connect(): Promise<EngineClient> {
    return EngineClient.connect({ kind: 'socket', path: this.#socket }, AbortSignal.timeout(10_000));
  }
}
