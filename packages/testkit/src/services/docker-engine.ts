/** A real Docker Engine: the one that runs, or one started for the tests. */
import { closeSync, existsSync, openSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineClient } from '@sheaf/runtimes/testing';
import { eventually } from '../eventually.ts';
import { requireProgram } from './packages.ts';
import { requirement } from './requirement.ts';
import { SkipReason } from './skip-reason.ts';
import { inTurn } from './turns.ts';

export interface DockerEngine {
  readonly socketPath: string;
}

const service = 'Docker';
const socketPath = '/var/run/docker.sock';

/** An engine on its usual socket; as root on Debian, one is installed and started where none answers, and stays. */
export const requireDockerEngine = requirement<DockerEngine>(available, async () => ({ socketPath }));

async function available(): Promise<void> {
  if (await answers()) {
    return;
  }
  if (process.getuid?.() !== 0) {
    throw new SkipReason(
      service,
      existsSync(socketPath) ? `this user may not use ${socketPath}` : 'no engine runs',
    );
  }
  const program = await requireProgram(service, 'dockerd', 'docker.io');
  // Two engines that start at the same time on one socket are in each other's way.
  await inTurn('engine', async () => {
    if (!(await answers())) await start(program);
  });
}

async function start(program: string): Promise<void> {
  const logFile = join(tmpdir(), 'sheaf-test-dockerd.log');
  const log = openSync(logFile, 'a');
  // Not a child that ends with this test file: all others use it too.
  spawn(program, [], { stdio: ['ignore', log, log], detached: true }).unref();
  closeSync(log);
  try {
    await eventually('an answer of the Docker Engine', async () => (await answers()) || undefined);
  } catch (error) {
    throw new SkipReason(service, `the engine was started, but does not answer (see ${logFile})`, {
      cause: error,
    });
  }
}

async function answers(): Promise<boolean> {
  if (!existsSync(socketPath)) {
    return false;
  }
  try {
    const limit = AbortSignal.timeout(5_000);
    const client = await EngineClient.connect({ kind: 'socket', path: socketPath }, limit);
    client.close();
    return true;
  } catch {
    return false;
  }
}
