/** The installation under test: a server, three workers on hosts of their own, each program with a disk of its own. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { archiveWithoutBash, Interposer, type Host, type Network, type Postgres } from '@sheaf/testkit';
import { smallMemory } from '../scripts/small-memory.mjs';
import { Engine } from './engine.ts';
import { postgresql, sqlite, type Sql } from './evidence/sql.ts';
import { Program } from './program.ts';
import type { ChaosSettings } from './settings.ts';
import { setClock } from './shifted-clock.ts';
import { cacheLimit } from './workload.ts';

export interface Worker {
  readonly program: Program;
  readonly host: Host;
  /** A file system of its own, small enough to be filled. */
  readonly disk: string;
  /** What says how wrong its clock is. */
  readonly clock: string;
  /** Where it executes in containers. */
  readonly engine: Engine | undefined;
}

/** Seconds until a silent worker counts as gone: short, so that there is time for many faults. */
export const workerTimeout = 8;
/** Megabytes. */
const diskSize = 256;
const workerNames = ['one', 'two', 'three'];

interface Parts {
  readonly directory: string;
  readonly network: Network;
  readonly line: Interposer;
  readonly port: number;
  readonly databaseUrl: string | undefined;
  readonly hosts: readonly {
    readonly name: string;
    readonly host: Host;
    readonly engine: Engine | undefined;
  }[];
}

export class Site {
  readonly directory: string;
  /** Of the server itself. */
  readonly url: string;
  /** Between everybody and the server. */
  readonly line: Interposer;
  readonly server: Program;
  readonly serverClock: string;
  readonly workers: readonly Worker[];
  readonly #network: Network;
  readonly #databaseUrl: string | undefined;

  private constructor(settings: ChaosSettings, parts: Parts) {
    const { directory, network, line, port, databaseUrl, hosts } = parts;
    this.directory = directory;
    this.line = line;
    this.#network = network;
    this.#databaseUrl = databaseUrl;
    this.url = `http://${network.address}:${port}`;
    this.serverClock = join(directory, 'server-clock');
    const { root, programs, node } = surroundings();
    this.server = new Program({
      name: 'server',
      words: [...node('server'), join(programs, 'server/process.js')],
      directory: root,
      log: join(directory, 'server.log'),
      environment: {
        ...smallMemory.environment,
        SHIFTED_CLOCK: this.serverClock,
        SHEAF_HOME: this.home,
        SHEAF_HOST: network.address,
        SHEAF_PORT: String(port),
        SHEAF_WORKER_TIMEOUT_SECONDS: String(workerTimeout),
        ...(databaseUrl === undefined ? {} : { SHEAF_DATABASE_URL: databaseUrl }),
      },
    });
    this.workers = hosts.map(({ name, host, engine }) => {
      const disk = join(directory, name);
      const clock = join(directory, `${name}-clock`);
      const flags = {
        '--server': line.url,
        '--credentials': join(this.home, 'administrator.json'),
        '--work-dir': join(disk, 'work'),
        '--id': name,
        '--tag': name,
        '--runtime': settings.runtime,
        '--max-memory': '1g',
        '--slots': '2',
        '--max-work-dir-size': String(cacheLimit),
      };
      const program = new Program({
        name,
        words: [
          ...host.words,
          ...node('worker'),
          join(programs, 'worker/process.js'),
          ...Object.entries(flags).flat(),
        ],
        directory: root,
        log: join(directory, `${name}.log`),
        environment: {
          ...smallMemory.environment,
          SHIFTED_CLOCK: clock,
          SHEAF_HOME: join(disk, 'home'),
          ...(engine === undefined ? {} : { DOCKER_HOST: engine.address }),
        },
      });
      return { program, host, disk, clock, engine };
    });
  }

  /** Everything but the programs themselves. @throws SkipReason what an engine needs cannot be had */
  static async open(
    settings: ChaosSettings,
    { network, postgres }: { network: Network; postgres: Postgres | undefined },
  ): Promise<Site> {
    const archive = settings.runtime === 'docker' ? await archiveWithoutBash() : undefined;
    const directory = mkdtempSync(join(tmpdir(), 'sheaf-chaos-'));
    for (const name of ['home', ...workerNames]) {
      const disk = join(directory, name);
      mkdirSync(disk, { mode: 0o700 });
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${diskSize}m,mode=755`, `chaos-${name}`, disk]);
    }
    const hosts = workerNames.map((name) => ({ name, host: network.addHost(name) }));
    const port = await freePort(network.address);
    return new Site(settings, {
      directory,
      network,
      port,
      line: await Interposer.open(`http://${network.address}:${port}`, network.address),
      databaseUrl: await postgres?.freshDatabase(),
      hosts: await Promise.all(
        hosts.map(async ({ name, host }) => ({
          name,
          host,
          engine:
            archive === undefined
              ? undefined
              : await Engine.open(host, archive, { name, liveRestore: name === 'two' }),
        })),
      ),
    });
  }

  get home(): string {
    return join(this.directory, 'home');
  }

  /** Disks that the experiment has mounted. */
  get disks(): readonly string[] {
    return [this.home, ...this.workers.map(({ disk }) => disk)];
  }

  /** The server's database, once the server has made it. */
  async database(): Promise<Sql> {
    return this.#databaseUrl === undefined
      ? await sqlite(join(this.home, 'database', 'sheaf.sqlite'))
      : postgresql(this.#databaseUrl);
  }

  /** Every clock is right, and the server is on its way. */
  start(): void {
    for (const path of [this.serverClock, ...this.workers.map(({ clock }) => clock)]) setClock(path, 0);
    this.server.start();
  }

  startWorkers(): void {
    for (const { program } of this.workers) program.start();
  }

  /** Whatever is broken is whole again, in whichever order two faults of one thing have mended it. */
  mend(): void {
    this.line.fate = () => 'pass';
    this.line.breakAll();
    for (const { program, host } of this.workers) {
      program.resume();
      host.heal();
      program.start();
    }
    this.server.resume();
    this.server.start();
  }

  /** The last words of a program. */
  lastWordsOf({ name }: Program): string {
    return readFileSync(join(this.directory, `${name}.log`), 'utf8').slice(-2000);
  }

  async close({ keep }: { keep: boolean }): Promise<void> {
    for (const { program } of this.workers) await program.end('SIGTERM');
    await this.server.end('SIGTERM');
    await this.line.close();
    for (const { engine } of this.workers) await engine?.close();
    this.#network.close();
    if (keep) return;
    for (const disk of this.disks) execFileSync('umount', ['--lazy', disk]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Of this repository: where it is, where its programs are, and how they are started. */
function surroundings(): { root: string; programs: string; node: (program: string) => string[] } {
  const root = process.env['SHEAF_ROOT'] ?? process.cwd();
  const programs = process.env['SHEAF_PROGRAMS'] ?? join(root, 'build');
  const clock = join(root, 'chaos/shifted-clock.cjs');
  return {
    root,
    programs,
    node: (program) => [process.execPath, ...smallMemory.flags(program), '--require', clock],
  };
}

async function freePort(address: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
