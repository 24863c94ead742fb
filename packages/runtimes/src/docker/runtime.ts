/** Runs in containers of a Docker engine, or of Podman's copy of its interface. */
import { hostname, release } from 'node:os';
import { performance } from 'node:perf_hooks';
import { AccountingGroups } from '../cgroups/accounting.ts';
import { formatEngineAddress, type EngineAddress } from '../engine/address.ts';
import { EngineClient } from '../engine/client.ts';
import { EngineError, isConflict, isNotFound } from '../engine/errors.ts';
import type { Info } from '../engine/schema.ts';
import type {
  ExecRequest,
  ExecSession,
  ImageRemoval,
  PreparedImage,
  PrepareImageOptions,
  ReachablePort,
  RecoveredRun,
  RunExit,
  RunHandle,
  RunSpecification,
  RunStatistics,
  Runtime,
  RuntimeCapabilities,
} from '../port.ts';
import { canExecute } from './architecture.ts';
import type { EngineTraits } from './container.ts';
import { ContainerEnds } from './ends.ts';
import { execInContainer } from './exec.ts';
import { containerExit, diesOfSignal, endedFromOutside, isRunning, startOf } from './exit.ts';
import { wasKilled } from './engine-memory.ts';
import { Images } from './images.ts';
import { listen, type Listening } from './listening.ts';
import { containerHandle, containerOf, labels, type EngineName } from './names.ts';
import { DockerNetworks, PodmanNetworks, type RunNetworks } from './prepared-networks.ts';
import { isPlain } from './plain-registry.ts';
import { defaultLoginFile, registryLogin } from './registry-login.ts';
import { removeContainer } from './removal.ts';
import { Shells } from './shells.ts';
import { startContainer, type Starter } from './start.ts';
import { ContainerStatistics } from './statistics.ts';
import { waitForContainer } from './wait.ts';

export interface DockerRuntimeOptions {
  readonly address: EngineAddress;
  /** Identity of the worker: the label by which its containers are found again. */
  readonly worker: string;
  /** Default `sheaf`. Workers of one host that use the same prefix share their networks. */
  readonly networkPrefix?: string | undefined;
  /** Processes and threads a run may have at once; default 32768. */
  readonly processLimit?: number | undefined;
  /** Docker's configuration file with registry logins; default `$DOCKER_CONFIG/config.json`, else in the home directory. */
  readonly loginFile?: string | undefined;
}

/**
 * @throws EngineUnreachableError nobody answers at the address
 * @throws EngineError what answers cannot be used
 */
export async function connectDockerRuntime(
  options: DockerRuntimeOptions,
  signal: AbortSignal,
): Promise<Runtime> {
  const engine = await EngineClient.connect(options.address, signal);
  let runtime: DockerRuntime | undefined;
  try {
    const info = await engine.info();
    const accounts = mayAccount(info, options.address, traitsOf(engine, info))
      ? await AccountingGroups.open(options.worker)
      : undefined;
    runtime = new DockerRuntime(engine, info, options, accounts);
    await runtime.prepare();
    return runtime;
  } catch (error) {
    await runtime?.close();
    engine.close();
    throw error;
  }
}

class DockerRuntime implements Runtime {
  readonly name: EngineName;
  readonly capabilities: RuntimeCapabilities;
  readonly #engine: EngineClient;
  readonly #options: DockerRuntimeOptions;
  readonly #traits: EngineTraits;
  readonly #networks: RunNetworks;
  readonly #images: Images;
  readonly #accounts: AccountingGroups | undefined;
  readonly #statistics: ContainerStatistics;
  readonly #starter: Starter;
  readonly #ends = new ContainerEnds();
  #listening: Listening | undefined;

  constructor(
    engine: EngineClient,
    info: Info,
    options: DockerRuntimeOptions,
    accounts: AccountingGroups | undefined,
  ) {
    this.#engine = engine;
    this.#accounts = accounts;
    this.#options = options;
    this.#traits = traitsOf(engine, info);
    this.name = this.#traits.podman ? 'podman' : 'docker';
    this.#networks = this.#traits.podman
      ? new PodmanNetworks(this.#traits.rootless)
      : new DockerNetworks({
          engine,
          prefix: options.networkPrefix ?? 'sheaf',
          noFirewall: whyNoFirewall(options.address, this.#traits),
        });
    const loginFile = options.loginFile ?? defaultLoginFile(process.env);
    this.#images = new Images({
      engine,
      login: (repository) => registryLogin(loginFile, repository),
      now: () => performance.now(),
      canResolve: !this.#traits.podman,
      architecture: engine.version.Arch ?? 'unknown',
      canExecute: (made) => canExecute(made, engine.version.Arch ?? made),
      isPlain: (registry) => isPlain(registry, info),
    });
    this.#statistics = new ContainerStatistics(engine, accounts);
    this.#starter = {
      engine,
      traits: this.#traits,
      worker: options.worker,
      processLimit: options.processLimit ?? 32_768,
      networks: this.#networks,
      shells: new Shells(),
      init: { available: true },
      groupOf: (uuid, epoch) => accounts?.parentOf(accountName({ uuid, epoch })),
    };
    this.capabilities = {
      images: true,
      cpuLimit: true,
      memoryLimit: info.MemoryLimit ?? true,
      networkIsolation: true,
      gpus: Object.hasOwn(info.Runtimes ?? {}, 'nvidia'),
      exec: true,
    };
  }

  get description(): string {
    const program = this.#traits.podman ? 'Podman' : 'Docker';
    const head = `${program} ${this.#engine.version.Version} at ${formatEngineAddress(this.#options.address)}`;
    return `${head}; ${this.#networks.reach}.`;
  }

  /** Makes everything ready that a start should not have to wait for. */
  async prepare(): Promise<void> {
    // Podman tells of its containers in ways of its own.
    if (!this.#traits.podman) {
      this.#listening = listen(this.#engine, this.#options.worker, this.#ends);
      await this.#listening.tried;
    }
    await this.#networks.prepare();
    if (this.#accounts) {
      await this.#accounts.sweep(new Set((await this.list()).map(accountName)));
    }
  }

  prepareImage(reference: string, options: PrepareImageOptions): Promise<PreparedImage> {
    return this.#images.prepare(reference, options);
  }

  removeImage(id: string): Promise<ImageRemoval> {
    return this.#images.remove(id);
  }

  async start(specification: RunSpecification, signal: AbortSignal): Promise<RunHandle> {
    try {
      const container = await startContainer(this.#starter, specification, signal);
      return containerHandle(this.name, specification.uuid, specification.epoch, container);
    } catch (error) {
      await this.#accounts?.remove(accountName(specification));
      throw error;
    }
  }

  async recover(handle: RunHandle): Promise<RecoveredRun | undefined> {
    try {
      const container = await this.#engine.inspectContainer(containerOf(handle));
      if (isRunning(container)) {
        return { state: 'running', startedAt: startOf(container) };
      }
      if (container.State.Status === 'created') {
        // The worker died between making and starting it: nothing of the run has happened, and a start replaces it.
        return undefined;
      }
      const exit = await containerExit(this.#engine, container);
      const outside = diesOfSignal(exit) && (await wasKilled(this.#engine, container.Id));
      return { state: 'ended', exit: outside ? endedFromOutside(exit) : exit };
    } catch (error) {
      if (isNotFound(error)) {
        return undefined;
      }
      throw error;
    }
  }

  async list(): Promise<RunHandle[]> {
    const containers = await this.#engine.listContainers({
      label: [`${labels.worker}=${this.#options.worker}`],
    });
    return containers.map(({ Id, Labels }) =>
      containerHandle(this.name, Labels?.[labels.run] ?? '', Number(Labels?.[labels.epoch] ?? 0), Id),
    );
  }

  wait(
    handle: RunHandle,
    signal: AbortSignal,
    onTrouble?: (words: string | undefined) => void,
  ): Promise<RunExit> {
    return waitForContainer(this.#engine, this.#ends, containerOf(handle), signal, onTrouble);
  }

  async stop(handle: RunHandle): Promise<void> {
    const container = containerOf(handle);
    try {
      await this.#engine.killContainer(container);
      await this.#engine.waitContainer(container, AbortSignal.timeout(30_000));
    } catch (error) {
      // Gone, or not running: there is nothing left to kill. Podman answers 500 for the latter.
      if (!isNotFound(error) && !isConflict(error) && !isNotRunning(error)) {
        throw error;
      }
    }
  }

  async destroy(handle: RunHandle): Promise<void> {
    const container = containerOf(handle);
    await removeContainer(this.#engine, container);
    await this.#statistics.forget(container, accountName(handle));
    this.#ends.forget(container);
  }

  statistics(handle: RunHandle): Promise<RunStatistics | undefined> {
    return this.#statistics.sample(containerOf(handle), accountName(handle));
  }

  finalStatistics(handle: RunHandle): Promise<RunStatistics | undefined> {
    return this.#statistics.final(containerOf(handle), accountName(handle));
  }

  async reach(handle: RunHandle, port: number): Promise<ReachablePort | undefined> {
    try {
      const container = await this.#engine.inspectContainer(containerOf(handle));
      if (!isRunning(container)) {
        return undefined;
      }
      // Its own address in a network of runs: nothing else listens there, whatever the port.
      const networks = Object.values(container.NetworkSettings.Networks ?? {});
      const host = networks.map(({ IPAddress }) => IPAddress).find(Boolean);
      return host ? { host, port } : undefined;
    } catch (error) {
      if (isNotFound(error)) {
        return undefined;
      }
      throw error;
    }
  }

  exec(handle: RunHandle, request: ExecRequest): Promise<ExecSession> {
    return execInContainer(this.#engine, containerOf(handle), request);
  }

  async close(): Promise<void> {
    this.#listening?.stop();
    this.#statistics.close();
    await this.#accounts?.leave();
    await this.#networks.release();
    this.#engine.close();
  }
}

function traitsOf(engine: EngineClient, info: Info): EngineTraits {
  return {
    rootless: (info.SecurityOptions ?? []).some((option) => option.includes('rootless')),
    podman: (engine.version.Components ?? []).some(({ Name }) => Name.includes('Podman')),
    nvidiaByDefault: info.DefaultRuntime === 'nvidia',
  };
}

/** The group of a run among the accounts of a worker. */
function accountName({ uuid, epoch }: Pick<RunHandle, 'uuid' | 'epoch'>): string {
  return `${uuid}.${epoch}`;
}

/** Whether groups that we make are the engine's: it is on this very machine, is root, and leaves groups to nobody else. */
function mayAccount(info: Info, address: EngineAddress, traits: EngineTraits): boolean {
  return (
    address.kind === 'socket' &&
    !traits.rootless &&
    info.CgroupDriver === 'cgroupfs' &&
    info.Name === hostname() &&
    info.KernelVersion === release()
  );
}

function whyNoFirewall(address: EngineAddress, traits: EngineTraits): string | undefined {
  if (address.kind === 'tcp') {
    return 'the engine may be on another machine';
  }
  return traits.rootless ? 'an engine without root cannot have firewall rules' : undefined;
}

function isNotRunning(error: unknown): boolean {
  return error instanceof EngineError && /not running/i.test(error.message);
}
