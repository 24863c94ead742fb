/** A Podman of a test's own: its service on a socket, with images and containers in a directory that goes with it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineClient } from '@sheaf/runtimes/testing';
import { eventually } from '../eventually.ts';
import { runProcess } from '../processes.ts';
import { requireProgram } from './packages.ts';
import { requirement } from './requirement.ts';
import { SkipReason } from './skip-reason.ts';

export interface Podman {
  readonly socketPath: string;
  /** Makes an image of the archive of a root file system; answers its id. */
  importImage(archive: string, repository: string, tag: string): Promise<string>;
  /** Ends it, and removes all that it has. */
  stop(): Promise<void>;
}

const service = 'Podman';

async function available(): Promise<void> {
  await requireProgram(service, 'podman', 'podman');
  // Where control groups are of both generations, the runtime that comes with Podman gives up.
  await requireProgram(service, 'runc', 'runc');
  if (process.getuid?.() !== 0) throw new SkipReason(service, 'only root can start one of its own');
}

export const requirePodman = requirement<Podman>(available, () => startPodman());

/** @param registries addresses that it speaks to without TLS */
export async function startPodman(registries: readonly string[] = []): Promise<Podman> {
  const directory = mkdtempSync(join(tmpdir(), 'sheaf-podman-'));
  const configuration = join(directory, 'registries.conf');
  const insecure = registries.map((address) => `[[registry]]\nlocation = "${address}"\ninsecure = true\n`);
  writeFileSync(configuration, insecure.join('\n'));
  const socketPath = join(directory, 'podman.sock');
  const own = ['--root', join(directory, 'root'), '--runroot', join(directory, 'run'), '--runtime', 'runc'];
  const log = openSync(join(directory, 'log'), 'a');
  const child = spawn('podman', [...own, 'system', 'service', '--time=0', `unix://${socketPath}`], {
    stdio: ['ignore', log, log],
    // Its monitors leave files where it was started.
    cwd: directory,
    env: { ...process.env, CONTAINERS_REGISTRIES_CONF: configuration },
  });
  closeSync(log);
  const connect = (): Promise<EngineClient> =>
    EngineClient.connect({ kind: 'socket', path: socketPath }, AbortSignal.timeout(10_000));
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    }
    await runProcess('podman', [...own, 'system', 'reset', '--force']);
    await runProcess('rm', ['-rf', directory]);
  };
  try {
    await eventually('an answer of Podman', () => connect().then(closed, () => undefined), 30_000);
  } catch (error) {
    const said = readFileSync(join(directory, 'log'), 'utf8');
    await stop();
    throw new SkipReason(service, `its service does not answer (${said.trim().slice(-500)})`, {
      cause: error,
    });
  }
  return {
    socketPath,
    stop,
    async importImage(archive, repository, tag) {
      // Over the socket it would have no name.
      const said = await runProcess('podman', [...own, 'import', '--quiet', archive, `${repository}:${tag}`]);
      const id = said.trim().split('\n').at(-1) ?? '';
      return id.startsWith('sha256:') ? id : `sha256:${id}`;
    },
  };
}

function closed(engine: EngineClient): true {
  engine.close();
  return true;
}
