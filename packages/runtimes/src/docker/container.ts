/** A run as the engine wants to hear it (execution §20.1): plain data in, body of the create call out. */
import { runScript } from '../command/shell.ts';
import type { RunSpecification } from '../port.ts';
import { labels } from './names.ts';

export interface ContainerPlan {
  readonly specification: RunSpecification;
  readonly image: string;
  readonly shell: string;
  readonly worker: string;
  /** `uid:gid` of the run directory's owner. */
  readonly user: string;
  /** Name of the network. */
  readonly network: string;
  readonly processLimit: number;
  /** Whether a first process of the engine's reaps orphans. */
  readonly init: boolean;
  /** Parent of the container's control group; undefined: the engine's own. */
  readonly group: string | undefined;
  readonly engine: EngineTraits;
}

export interface EngineTraits {
  /** The engine runs as an ordinary user: its root is that user. */
  readonly rootless: boolean;
  readonly podman: boolean;
  /** An NVIDIA runtime that gives every GPU to an image that asks for all of them in its environment. */
  readonly nvidiaByDefault: boolean;
}

export function containerBody(plan: ContainerPlan): Record<string, unknown> {
  const { specification: run } = plan;
  const home = `/${run.uuid}`;
  return {
    Image: plan.image,
    Entrypoint: [plan.shell, '-c', runScript(run.command)],
    Cmd: [],
    WorkingDir: home,
    User: plan.user,
    Env: Object.entries(environment(plan, home)).map(([name, value]) => `${name}=${value}`),
    Labels: {
      [labels.worker]: plan.worker,
      [labels.run]: run.uuid,
      [labels.epoch]: String(run.epoch),
    },
    HostConfig: hostConfiguration(plan, home),
  };
}

/** Podman asks for a million of each unless told otherwise, which a process without privileges may not raise itself to. */
const podmanLimits = [
  { Name: 'nofile', Soft: 1024, Hard: 4096 },
  { Name: 'nproc', Soft: 16_384, Hard: 16_384 },
];

function hostConfiguration(plan: ContainerPlan, home: string): Record<string, unknown> {
  const { specification: run } = plan;
  return {
    Mounts: [
      mount(run.directory, home, false),
      ...run.mounts.map(({ source, target }) => mount(source, target, true)),
    ],
    NetworkMode: plan.network,
    // No swap setting: the engine's default stands (§20.1).
    ...(run.memory > 0 ? { Memory: run.memory } : {}),
    ...(run.cpuset.length > 0 ? { CpusetCpus: run.cpuset.join(',') } : {}),
    ...(run.sharedMemory > 0 ? { ShmSize: run.sharedMemory } : {}),
    ...(run.gpus.length > 0
      ? { DeviceRequests: [{ Driver: 'nvidia', DeviceIDs: run.gpus, Capabilities: [['gpu']] }] }
      : {}),
    Init: plan.init,
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges'],
    PidsLimit: plan.processLimit,
    ...(plan.group === undefined ? {} : { CgroupParent: plan.group }),
    // Output goes to files; the engine's own log holds the shell's complaints only.
    LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } },
    ...(plan.engine.podman ? { Ulimits: podmanLimits } : {}),
  };
}

function environment(plan: ContainerPlan, home: string): Record<string, string> {
  const { specification: run } = plan;
  const gpus =
    run.gpus.length > 0 || plan.engine.nvidiaByDefault
      ? { NVIDIA_VISIBLE_DEVICES: run.gpus.length > 0 ? run.gpus.join(',') : 'void' }
      : {};
  return { ...run.environment, ...gpus, HOME: home, CODALAB: 'true' };
}

function mount(source: string, target: string, readOnly: boolean): Record<string, unknown> {
  return {
    Type: 'bind',
    Source: source,
    Target: target,
    ReadOnly: readOnly,
    BindOptions: { Propagation: 'rprivate' },
  };
}
