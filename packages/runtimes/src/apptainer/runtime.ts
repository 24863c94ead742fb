/** Runs in containers of Apptainer: images unpacked by the worker, and neither an engine nor root is needed. */
import { createRunGroup, joiningFilesOf } from '../cgroups/run-group.ts';
import { runScript } from '../command/shell.ts';
import { runEnvironment } from '../image-store/environment.ts';
import { imageToStart, type ImageStore, type StartableImage } from '../image-store/image-store.ts';
import type { UnpackedImages } from '../image-store/prepare.ts';
import type {
  ExecRequest,
  ExecSession,
  ImageRemoval,
  PreparedImage,
  PrepareImageOptions,
  RunHandle,
  RunSpecification,
  Runtime,
  RuntimeCapabilities,
} from '../port.ts';
import { execInRun } from '../sandbox/enter-run.ts';
import { pinnedTo } from '../sandbox/exec.ts';
import { makeMountPoints } from '../sandbox/mount-points.ts';
import { recordName, writeRecord, type RunPaths } from '../sandbox/record.ts';
import { SupervisedRuntime } from '../sandbox/supervised-runtime.ts';
import { stage } from '../sandbox/supervisor.ts';
import { isRoot, type SandboxUser } from '../sandbox/user.ts';
import { apptainerEnvironment, arrival } from './command.ts';
import { containerCommand, makePlaces, type ApptainerMeans, type RunFiles } from './container.ts';
import type { Tools } from './tools.ts';

export const apptainerRuntimeName = 'apptainer';

const littleRoom = {
  memory: 'outside of its directory a run can write a few megabytes only',
  none: 'outside of its directory and /tmp a run can write nothing',
} as const;

export interface ApptainerParts {
  /** Path of the program. */
  readonly program: string;
  /** Name and version. */
  readonly version: string;
  readonly means: ApptainerMeans;
  /** Directory of this worker alone, for what must outlive it. */
  readonly stateDirectory: string;
  readonly store: Pick<ImageStore, 'get' | 'root'>;
  readonly images: Pick<UnpackedImages, 'prepare' | 'remove'>;
  /** Half a sentence: where images come from. */
  readonly source: string;
  readonly files: RunFiles;
  readonly tools: Tools;
  /** Who runs commands of a worker that is root, in directories that are root's; default nobody (65534). */
  readonly user?: SandboxUser | undefined;
  /** Processes and threads a run may have at once. */
  readonly processLimit: number;
  readonly close: () => Promise<void>;
}

export class ApptainerRuntime extends SupervisedRuntime implements Runtime {
  readonly name = apptainerRuntimeName;
  readonly capabilities: RuntimeCapabilities;
  readonly #parts: ApptainerParts;

  constructor(parts: ApptainerParts) {
    const { stateDirectory, user, means } = parts;
    super({
      runtime: apptainerRuntimeName,
      thing: 'container',
      // Apptainer's own, of some twenty megabytes.
      firstCounts: false,
      stateDirectory,
      groups: means.groups,
      user,
    });
    this.#parts = parts;
    this.capabilities = {
      images: true,
      cpuLimit: true,
      memoryLimit: means.groups !== undefined,
      networkIsolation: true,
      gpus: true,
      exec: true,
    };
  }

  get description(): string {
    const { version, source, means } = this.#parts;
    const words = [
      `${version}; ${source}`,
      'runs with network access share the network of this host',
      ...(means.groups
        ? []
        : ['no control groups, so that memory is limited for each process, not for a run']),
      ...(means.namespace ? [] : ['/dev/shm is as large as the kernel lets it be']),
      ...(means.overlay === 'disk' ? [] : [littleRoom[means.overlay]]),
    ];
    return `${words.join('; ')}.`;
  }

  prepareImage(reference: string, options: PrepareImageOptions): Promise<PreparedImage> {
    return this.#parts.images.prepare(reference, options);
  }

  removeImage(id: string): Promise<ImageRemoval> {
    return this.#parts.images.remove(id);
  }

  async start(run: RunSpecification, signal: AbortSignal): Promise<RunHandle> {
    signal.throwIfAborted();
    const image = imageToStart(this.#parts.store, run.image);
    return this.runs.start(run, signal, (paths) => this.#start(run, image, paths, signal));
  }

  async #start(
    run: RunSpecification,
    image: StartableImage,
    paths: RunPaths,
    signal: AbortSignal,
  ): Promise<void> {
    const { means, processLimit, store } = this.#parts;
    const { groups } = means;
    const user = await this.runs.userFor(run.directory);
    await makeMountPoints(run, user);
    const environment = runEnvironment(image.environment, {
      ...run,
      environment: { ...visibleGpus(run.gpus), ...run.environment },
    });
    const dataLimit = groups ? 0 : run.memory;
    const cpuset = groups ? [] : run.cpuset;
    writeRecord(paths, {
      uuid: run.uuid,
      epoch: run.epoch,
      network: run.network,
      image: image.id,
      startedAt: Date.now(),
      command: { environment, user: user ?? null, cpuset: [...cpuset], dataLimit },
    });
    const root = store.root(image.id);
    const name = recordName(run.uuid, run.epoch);
    makePlaces(paths, root, user);
    if (groups) {
      createRunGroup(groups, name, { memory: run.memory, cpuset: run.cpuset, processes: processLimit });
    }
    const { shell } = image;
    const script = stage(shell, [shell, '-c', runScript(run.command)], {
      directory: `/${run.uuid}`,
      dataLimit,
      processLimit: groups ? 0 : processLimit,
      counted: groups !== undefined,
    });
    const container = {
      ...this.#parts,
      run,
      paths,
      image: root,
      user,
      joined: groups ? joiningFilesOf(groups, name) : [],
      command: (joined: number) => [...arrival(shell, joined, { uuid: run.uuid, environment }), ...script],
    };
    const command = [...pinnedTo(cpuset), ...containerCommand(container)];
    const supervision = { paths, groups: [], command, environment: apptainerEnvironment(environment) };
    await this.runs.supervise(run, supervision, signal);
  }

  exec(handle: RunHandle, request: ExecRequest): Promise<ExecSession> {
    const { means, tools } = this.#parts;
    // Root need not go through the run's user namespace, in which it would be nobody.
    return execInRun(handle, this.runs.paths(handle), means.groups, request, {
      ownUserNamespace: !isRoot(),
      setpriv: isRoot() ? tools.setpriv : undefined,
      env: tools.env,
      tools: tools.directory,
    });
  }

  override async close(): Promise<void> {
    await super.close();
    await this.#parts.close();
  }
}

/** Apptainer shows all of a machine's GPUs; programs keep to these. */
function visibleGpus(gpus: readonly string[]): Record<string, string> {
  return gpus.length === 0 ? {} : { CUDA_VISIBLE_DEVICES: gpus.join(',') };
}
