/** The installation under test: a server, three workers on hosts of their own, each with a disk of its own. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host, Network, Postgres } from '@sheaf/testkit';
import { smallMemory } from '../scripts/small-memory.mjs';
import { Program } from './program.ts';
import type { ChaosSettings } from './settings.ts';

export interface Worker {
  readonly program: Program;
  readonly host: Host;
  /** A file system of its own, small enough to be filled. */
  readonly disk: string;
  /** What says how wrong its clock is. */
  readonly clock: string;
}

/** Seconds until a silent worker counts as gone: short, so that there is time for many faults. */
export const workerTimeout = 8;
const diskSize = 256;

export class Site {
  readonly directory = mkdtempSync(join(tmpdir(), 'sheaf-chaos-'));
  readonly url: string;
  readonly server: Program;
  readonly serverClock: string;
  readonly workers: readonly Worker[];
  readonly #network: Network;

  private constructor(
    settings: ChaosSettings,
    parts: { network: Network; port: number; databaseUrl: string | undefined },
  ) {
    const { network, port, databaseUrl } = parts;
    this.#network = network;
    this.url = `http://${network.address}:${port}`;
    const root = process.env['SHEAF_ROOT'] ?? process.cwd();
    const node = [process.execPath, ...smallMemory.flags, '--require', join(root, 'chaos/shifted-clock.cjs')];
    this.serverClock = join(this.directory, 'server-clock');
    this.server = new Program({
      name: 'server',
      words: [...node, 'build/server/process.js'],
      directory: root,
      log: join(this.directory, 'server.log'),
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
    this.workers = ['one', 'two', 'three'].map((name) => {
      const host = network.addHost(name);
      const disk = join(this.directory, name);
      mkdirSync(disk);
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${diskSize}m`, `chaos-${name}`, disk]);
      const clockFile = join(this.directory, `${name}-clock`);
      const words = [
        ...host.words,
        ...node,
        'build/worker/process.js',
        '--server',
        this.url,
        '--credentials',
        join(this.home, 'administrator.json'),
        '--work-dir',
        join(disk, 'work'),
        '--id',
        name,
        '--runtime',
        settings.runtime,
        '--max-memory',
        '1g',
        '--slots',
        '2',
      ];
      const program = new Program({
        name,
        words,
        directory: root,
        log: join(this.directory, `${name}.log`),
        environment: {
          ...smallMemory.environment,
          SHIFTED_CLOCK: clockFile,
          SHEAF_HOME: join(disk, 'home'),
        },
      });
      return { program, host, disk, clock: clockFile };
    });
  }

  static async open(
    settings: ChaosSettings,
    parts: { network: Network; postgres: Postgres | undefined },
  ): Promise<Site> {
    const { network, postgres } = parts;
    return new Site(settings, {
      network,
      port: await freePort(network.address),
      databaseUrl: await postgres?.freshDatabase(),
    });
  }

  get home(): string {
    return join(this.directory, 'home');
  }

  /** Every program is in order, and on the air. */
  start(): void {
    for (const path of [this.serverClock, ...this.workers.map(({ clock }) => clock)]) setClock(path, 0);
    this.server.start();
  }

  startWorkers(): void {
    for (const { program } of this.workers) program.start();
  }

  /** What the programs have said. */
  logs(): string {
    return ['server', ...this.workers.map(({ program }) => program.name)]
      .map((name) => readFileSync(join(this.directory, `${name}.log`), 'utf8'))
      .join('\n');
  }

  async close({ keep }: { keep: boolean }): Promise<void> {
    for (const { program } of this.workers) await program.end('SIGTERM');
    await this.server.end('SIGTERM');
    this.#network.close();
    if (keep) return;
    for (const { disk } of this.workers) execFileSync('umount', ['--lazy', disk]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** @param seconds how far the clock is ahead of the right time; negative when it is late */
export function setClock(path: string, seconds: number): void {
  writeFileSync(path, `${seconds * 1000}\n`);
}

async function freePort(address: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
