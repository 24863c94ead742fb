/** The places where a runtime may be found on a machine, in the order of preference; each says why it does not apply. */
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import {
  ApptainerMissing,
  connectApptainerRuntime,
  type ApptainerRuntimeOptions,
} from '../apptainer/connect.ts';
import { findGroupHost } from '../cgroups/host.ts';
import { connectDockerRuntime, type DockerRuntimeOptions } from '../docker/runtime.ts';
import { parseEngineAddress, type EngineAddress } from '../engine/address.ts';
import { isErrno } from '../files/errno.ts';
import { ClusterError } from '../kubernetes/client.ts';
import { connectKubernetesRuntime, type KubernetesOptions } from '../kubernetes/connect.ts';
import type { Runtime } from '../port.ts';
import { connectRuncRuntime, RuncMissing, type RuncRuntimeOptions } from '../runc/connect.ts';
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

/** What somebody may ask for. */
export const runtimeChoices = [
  'auto',
  'docker',
  'podman',
  'runc',
  'apptainer',
  'sandbox',
  'kubernetes',
] as const;
export type RuntimeChoice = (typeof runtimeChoices)[number];
export type RuntimeKind = Exclude<RuntimeChoice, 'auto'>;

export interface Strategy {
  readonly name: string;
  /** What it may find. */
  readonly kinds: readonly RuntimeKind[];
  look(choice: RuntimeChoice): Promise<StrategyAnswer>;
}

export interface StrategyOptions {
  readonly environment: NodeJS.ProcessEnv;
  readonly docker: Omit<DockerRuntimeOptions, 'address'>;
  readonly sandbox: Pick<SandboxRuntimeOptions, 'stateDirectory' | 'hide' | 'user' | 'processLimit'>;
  /** Only where a cluster was named: nothing else is looked at then. */
  readonly kubernetes?: KubernetesOptions | undefined;
  readonly runc: Pick<RuncRuntimeOptions, 'directory' | 'worker' | 'processLimit' | 'program'>;
  readonly apptainer: Pick<
    ApptainerRuntimeOptions,
    'directory' | 'worker' | 'processLimit' | 'user' | 'program'
  >;
}

export function strategies(options: StrategyOptions): readonly Strategy[] {
  const { environment } = options;
  const session = environment['XDG_RUNTIME_DIR'];
  if (options.kubernetes !== undefined) return [cluster(options.kubernetes)];
  return [
    fromDockerHost(options),
    socket('Docker', '/var/run/docker.sock', options),
    ...(session === undefined ? [] : [socket('rootless Docker', join(session, 'docker.sock'), options)]),
    ...(session === undefined
      ? []
      : [socket('rootless Podman', join(session, 'podman/podman.sock'), options)]),
    socket('Podman', '/run/podman/podman.sock', options),
    runc(options),
    apptainer(options),
    sandbox('sandbox with bubblewrap', findBubblewrap, options),
    sandbox('sandbox with util-linux', findUnshare, options),
  ];
}

function fromDockerHost(options: StrategyOptions): Strategy {
  return {
    name: 'DOCKER_HOST',
    kinds: ['docker', 'podman'],
    async look(choice) {
      const text = options.environment['DOCKER_HOST'] ?? '';
      if (text === '') {
        return { reason: 'not set' };
      }
      const address = parseEngineAddress(text);
      return address
        ? connect(address, options, choice)
        : { reason: `${text} is neither a unix socket nor a tcp address` };
    },
  };
}

function socket(program: string, path: string, options: StrategyOptions): Strategy {
  return {
    name: `${program} at ${path}`,
    kinds: [program.includes('Podman') ? 'podman' : 'docker'],
    async look(choice) {
      // Another engine than the one that was named is none to fall back on: it knows neither its images nor its runs.
      if ((options.environment['DOCKER_HOST'] ?? '') !== '')
        return { reason: 'DOCKER_HOST names another engine' };
      try {
        await access(path, constants.R_OK | constants.W_OK);
      } catch (error) {
        if (isErrno(error, 'ENOENT')) {
          return { reason: 'there is no such socket', ...(await podmanAdvice(program, choice, options)) };
        }
        return {
          reason: 'this user may not use the socket',
          advice: `add this user to the group that owns ${path} (usually \`sudo usermod -aG docker $USER\`) and log in again`,
        };
      }
      return connect({ kind: 'socket', path }, options, choice);
    },
  };
}

const patience = 5_000;

/** Podman's service is not started by installing Podman. */
async function podmanAdvice(
  program: string,
  choice: RuntimeChoice,
  { environment }: StrategyOptions,
): Promise<{ advice?: string }> {
  if (choice !== 'podman' || !program.includes('Podman') || !(await isOnPath('podman', environment)))
    return {};
  const unit = program.startsWith('rootless')
    ? 'systemctl --user enable --now podman.socket'
    : 'systemctl enable --now podman.socket';
  return { advice: `start Podman's service (\`${unit}\`, or \`podman system service --time=0\`)` };
}

async function isOnPath(program: string, environment: NodeJS.ProcessEnv): Promise<boolean> {
  for (const directory of (environment['PATH'] ?? '').split(delimiter)) {
    try {
      await access(join(directory, program), constants.X_OK);
      return true;
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'EACCES', 'ENOTDIR')) throw error;
    }
  }
  return false;
}

async function connect(
  address: EngineAddress,
  options: StrategyOptions,
  choice: RuntimeChoice,
): Promise<StrategyAnswer> {
  try {
    const limit = AbortSignal.timeout(patience);
    const runtime = await connectDockerRuntime({ ...options.docker, address }, limit);
    if (choice === 'podman' && runtime.name !== 'podman') {
      await runtime.close();
      return { reason: 'it is Docker, not Podman', advice: 'start the worker with --runtime docker' };
    }
    return { runtime };
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Where there is no engine; images that one has are used all the same when it was asked for by name. */
function runc(options: StrategyOptions): Strategy {
  return {
    name: 'runc',
    kinds: ['runc'],
    async look(choice) {
      const named = namedEngine(options);
      if (choice === 'auto' && named !== '') return { reason: 'DOCKER_HOST names an engine' };
      try {
        return { runtime: await connectRuncRuntime({ ...options.runc, engine: engineBeside(named) }) };
      } catch (error) {
        if (!(error instanceof RuncMissing)) throw error;
        return { reason: error.message, ...(error.advice === undefined ? {} : { advice: error.advice }) };
      }
    },
  };
}

/** As with runc, which is quicker, and keeps runs from the host's network. */
function apptainer(options: StrategyOptions): Strategy {
  return {
    name: 'Apptainer',
    kinds: ['apptainer'],
    async look(choice) {
      const named = namedEngine(options);
      if (choice === 'auto' && named !== '') return { reason: 'DOCKER_HOST names an engine' };
      try {
        const engine = engineBeside(named);
        return { runtime: await connectApptainerRuntime({ ...options.apptainer, engine }) };
      } catch (error) {
        if (!(error instanceof ApptainerMissing)) throw error;
        return { reason: error.message };
      }
    },
  };
}

function namedEngine({ environment }: StrategyOptions): string {
  return environment['DOCKER_HOST'] ?? '';
}

function engineBeside(named: string): EngineAddress | undefined {
  return parseEngineAddress(named === '' ? 'unix:///var/run/docker.sock' : named);
}

function sandbox(name: string, find: () => Promise<ToolAnswer>, options: StrategyOptions): Strategy {
  return {
    name,
    kinds: ['sandbox'],
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

function cluster(options: KubernetesOptions): Strategy {
  return {
    name: `cluster at ${options.access.host}`,
    kinds: ['kubernetes'],
    async look() {
      try {
        return { runtime: await connectKubernetesRuntime(options) };
      } catch (error) {
        if (!(error instanceof ClusterError)) throw error;
        return { reason: error.message.replace(/\.$/, '') };
      }
    },
  };
}
