/** Runs in containers of a Docker engine, or of Podman's copy of its interface. */
import { performance } from 'node:perf_hooks';
import { formatEngineAddress, type EngineAddress } from '../engine/address.ts';
import { EngineClient } from '../engine/client.ts';
import { EngineError, isConflict, isNotFound } from '../engine/errors.ts';
import type { Info } from '../engine/schema.ts';
import type {
  PreparedImage,
  PrepareImageOptions,
  RecoveredRun,
  RunExit,
  RunHandle,
  RunSpecification,
  RunStatistics,
  Runtime,
  RuntimeCapabilities,
} from '../port.ts';
import type { EngineTraits } from './container.ts';
import { ContainerEnds } from './ends.ts';
import { containerExit, isRunning } from './exit.ts';
import { Images } from './images.ts';
import { listen, type Listening } from './listening.ts';
import { containerOf, dockerHandle, dockerRuntimeName, labels } from './names.ts';
import { DockerNetworks, PodmanNetworks, type RunNetworks } from './prepared-networks.ts';
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
    runtime = new DockerRuntime(engine, await engine.info(), options);
    await runtime.prepare();
    return runtime;
  } catch (error) {
    await runtime?.close();
    engine.close();
    throw error;
  }
}

class DockerRuntime implements Runtime {
  readonly name = dockerRuntimeName;
  readonly capabilities: RuntimeCapabilities;
  readonly #engine: EngineClient;
  readonly #options: DockerRuntimeOptions;
  readonly #traits: EngineTraits;
  readonly #networks: RunNetworks;
  readonly #images: Images;
  readonly #statistics: ContainerStatistics;
  readonly #starter: Starter;
  readonly #ends = new ContainerEnds();
  #listening: Listening | undefined;

  constructor(engine: EngineClient, info: Info, options: DockerRuntimeOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#traits = traitsOf(engine, info);
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
    });
    this.#statistics = new ContainerStatistics(engine);
    this.#starter = {
      engine,
      traits: this.#traits,
      worker: options.worker,
      processLimit: options.processLimit ?? 32_768,
      networks: this.#networks,
      shells: new Shells(),
      init: { available: true },
    };
    this.capabilities = {
      images: true,
      cpuLimit: true,
      memoryLimit: info.MemoryLimit ?? true,
      networkIsolation: true,
      gpus: Object.hasOwn(info.Runtimes ?? {}, 'nvidia'),
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
  }

  prepareImage(reference: string, options: PrepareImageOptions): Promise<PreparedImage> {
    return this.#images.prepare(reference, options);
  }

  removeImage(id: string): Promise<boolean> {
    return this.#images.remove(id);
  }

  async start(specification: RunSpecification, signal: AbortSignal): Promise<RunHandle> {
    const container = await startContainer(this.#starter, specification, signal);
    return dockerHandle(specification.uuid, specification.epoch, container);
  }

  async recover(handle: RunHandle): Promise<RecoveredRun | undefined> {
    try {
      const container = await this.#engine.inspectContainer(containerOf(handle));
      if (isRunning(container)) {
        return { state: 'running' };
      }
      if (container.State.Status === 'created') {
        // The worker died between making and starting it: nothing of the run has happened, and a start replaces it.
        return undefined;
      }
      return { state: 'ended', exit: await containerExit(this.#engine, container) };
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
      dockerHandle(Labels?.[labels.run] ?? '', Number(Labels?.[labels.epoch] ?? 0), Id),
    );
  }

  wait(handle: RunHandle, signal: AbortSignal): Promise<RunExit> {
    return waitForContainer(this.#engine, this.#ends, containerOf(handle), signal);
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
    this.#statistics.forget(container);
    await removeContainer(this.#engine, container);
    this.#ends.forget(container);
  }

  statistics(handle: RunHandle): Promise<RunStatistics | undefined> {
    return this.#statistics.sample(containerOf(handle));
  }

  async address(handle: RunHandle): Promise<string | undefined> {
    try {
      const container = await this.#engine.inspectContainer(containerOf(handle));
      const networks = Object.values(container.NetworkSettings.Networks ?? {});
      return networks.map(({ IPAddress }) => IPAddress).find(Boolean) ?? undefined;
    } catch (error) {
      if (isNotFound(error)) {
        return undefined;
      }
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#listening?.stop();
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

function whyNoFirewall(address: EngineAddress, traits: EngineTraits): string | undefined {
  if (address.kind === 'tcp') {
    return 'the engine may be on another machine';
  }
  return traits.rootless ? 'an engine without root cannot have firewall rules' : undefined;
}

function isNotRunning(error: unknown): boolean {
  return error instanceof EngineError && /not running|state improper/i.test(error.message);
}
