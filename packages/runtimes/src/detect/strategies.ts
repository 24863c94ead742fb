/** The places where a runtime may be found on a machine, in the order of preference; each says why it does not apply. */
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { findGroupHost } from '../cgroups/host.ts';
import { connectDockerRuntime, type DockerRuntimeOptions } from '../docker/runtime.ts';
import { parseEngineAddress, type EngineAddress } from '../engine/address.ts';
import { isErrno } from '../files/errno.ts';
import type { Runtime } from '../port.ts';
import { findBubblewrap, findUnshare, type ToolAnswer } from '../sandbox/probe.ts';
import { SandboxRuntime, type SandboxRuntimeOptions } from '../sandbox/runtime.ts';

export type StrategyAnswer =
  | { readonly runtime: Runtime }
  /** Why it does not apply: half a sentence for the person who set up the machine. */
  | {
      readonly reason: string;
      /** What would help, where it is not to install something. */
      readonly advice?: string;
    };

export interface Strategy {
  readonly name: string;
  readonly kind: 'docker' | 'sandbox';
  look(): Promise<StrategyAnswer>;
}

export interface StrategyOptions {
  readonly environment: NodeJS.ProcessEnv;
  readonly docker: Omit<DockerRuntimeOptions, 'address'>;
  readonly sandbox: Pick<SandboxRuntimeOptions, 'stateDirectory' | 'hide' | 'user' | 'processLimit'>;
}

export function strategies(options: StrategyOptions): readonly Strategy[] {
  const { environment } = options;
  const session = environment['XDG_RUNTIME_DIR'];
  return [
    fromDockerHost(options),
    socket('Docker', '/var/run/docker.sock', options),
    ...(session === undefined ? [] : [socket('rootless Docker', join(session, 'docker.sock'), options)]),
    ...(session === undefined
      ? []
      : [socket('rootless Podman', join(session, 'podman/podman.sock'), options)]),
    socket('Podman', '/run/podman/podman.sock', options),
    sandbox('sandbox with bubblewrap', findBubblewrap, options),
    sandbox('sandbox with util-linux', findUnshare, options),
  ];
}

function fromDockerHost(options: StrategyOptions): Strategy {
  return {
    name: 'DOCKER_HOST',
    kind: 'docker',
    async look() {
      const text = options.environment['DOCKER_HOST'] ?? '';
      if (text === '') {
        return { reason: 'not set' };
      }
      const address = parseEngineAddress(text);
      return address
        ? connect(address, options)
        : { reason: `${text} is neither a unix socket nor a tcp address` };
    },
  };
}

function socket(program: string, path: string, options: StrategyOptions): Strategy {
  return {
    name: `${program} at ${path}`,
    kind: 'docker',
    async look() {
      // Another engine than the one that was named is none to fall back on: it knows neither its images nor its runs.
      if ((options.environment['DOCKER_HOST'] ?? '') !== '')
        return { reason: 'DOCKER_HOST names another engine' };
      try {
        await access(path, constants.R_OK | constants.W_OK);
      } catch (error) {
        if (isErrno(error, 'ENOENT')) {
          return { reason: 'there is no such socket' };
        }
        return {
          reason: 'this user may not use the socket',
          advice: `add this user to the group that owns ${path} (usually \`sudo usermod -aG docker $USER\`) and log in again`,
        };
      }
      return connect({ kind: 'socket', path }, options);
    },
  };
}

const patience = 5_000;

async function connect(address: EngineAddress, options: StrategyOptions): Promise<StrategyAnswer> {
  try {
    const limit = AbortSignal.timeout(patience);
    return { runtime: await connectDockerRuntime({ ...options.docker, address }, limit) };
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}

function sandbox(name: string, find: () => Promise<ToolAnswer>, options: StrategyOptions): Strategy {
  return {
    name,
    kind: 'sandbox',
    async look() {
      const answer = await find();
      if (!answer.available) {
        return { reason: answer.reason };
      }
      const groups = await findGroupHost();
      const host = groups.available ? groups.host : undefined;
      return { runtime: new SandboxRuntime({ ...options.sandbox, tool: answer.tool, groups: host }) };
    },
  };
}
