/** Runs in containers of Apptainer: images unpacked by the worker, and neither an engine nor root is needed. */
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GroupHost } from '../cgroups/host.ts';
import { createRunGroup, joiningFilesOf } from '../cgroups/run-group.ts';
import { runScript } from '../command/shell.ts';
import { runEnvironment } from '../image-store/environment.ts';
import { imageToStart, type ImageStore, type StartableImage } from '../image-store/image-store.ts';
import type { UnpackedImages } from '../image-store/prepare.ts';
import { missingDirectories } from '../image-store/scope.ts';
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
import { execInRun } from '../sandbox/enter-run.ts';
import { pinnedTo } from '../sandbox/exec.ts';
import { kernelDirectories } from '../sandbox/layout.ts';
import { makeMountPoints } from '../sandbox/mount-points.ts';
import { recordName, writeRecord, type RunPaths } from '../sandbox/record.ts';
import { SupervisedRuns } from '../sandbox/supervised-runs.ts';
import { stage } from '../sandbox/supervisor.ts';
import { isRoot, type SandboxUser } from '../sandbox/user.ts';
import { apptainerCommand, apptainerEnvironment, arrival, groupDescriptors, type Bind } from './command.ts';
import {
  accountFiles,
  makerCommand,
  noSurroundings,
  ownSurroundings,
  placeBesides,
  rootSurroundings,
  type Surroundings,
} from './surroundings.ts';
import type { Tools } from './tools.ts';

export const apptainerRuntimeName = 'apptainer';

/** What this machine lets a worker do, found out by trying. */
export interface ApptainerMeans {
  /** A mount namespace beforehand, for what Apptainer cannot do; always for root. */
  readonly namespace: boolean;
  /** A run's changes in its image go to the disk, not to memory. */
  readonly overlayOnDisk: boolean;
  /** Where control groups can be made, and joined from inside; undefined: nowhere. */
  readonly groups: GroupHost | undefined;
  readonly diesWithParent: boolean;
}

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
  /** Files that every run has in the place of the image's, by target. */
  readonly files: Readonly<Record<string, string>>;
  readonly tools: Tools;
  /** Who runs commands of a worker that is root, in directories that are root's; default nobody (65534). */
  readonly user?: SandboxUser | undefined;
  /** Processes and threads a run may have at once. */
  readonly processLimit: number;
  readonly close: () => Promise<void>;
}

export class ApptainerRuntime implements Runtime {
  readonly name = apptainerRuntimeName;
  readonly capabilities: RuntimeCapabilities;
  readonly #parts: ApptainerParts;
  readonly #runs: SupervisedRuns;

  constructor(parts: ApptainerParts) {
    this.#parts = parts;
    const { stateDirectory, user, means } = parts;
    this.#runs = new SupervisedRuns({
      runtime: apptainerRuntimeName,
      thing: 'container',
      stateDirectory,
      groups: means.groups,
      user,
    });
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
      ...(means.overlayOnDisk ? [] : ['outside of its directory a run can write a few megabytes only']),
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
    return this.#runs.start(run, signal, (paths) => this.#start(run, image, paths, signal));
  }

  async #start(
    run: RunSpecification,
    image: StartableImage,
    paths: RunPaths,
    signal: AbortSignal,
  ): Promise<void> {
    const { program, means, processLimit, store } = this.#parts;
    const { groups } = means;
    const user = await this.#runs.userFor(run.directory);
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
    makePlaces(paths, missingDirectories(root, needed), user);
    const name = recordName(run.uuid, run.epoch);
    if (groups) {
      createRunGroup(groups, name, { memory: run.memory, cpuset: run.cpuset, processes: processLimit });
    }
    const joined = groups ? joiningFilesOf(groups, name).slice(0, groupDescriptors.length) : [];
    const binds = this.#binds(run);
    const around = this.#surroundings(run, paths, root, binds, user);
    const { shell } = image;
    const script = stage(shell, [shell, '-c', runScript(run.command)], {
      directory: `/${run.uuid}`,
      dataLimit,
      processLimit: groups ? 0 : processLimit,
      counted: groups !== undefined,
    });
    const shared = around.sharedMemory;
    const call = apptainerCommand({
      program,
      run,
      image: around.path(root),
      overlay: means.overlayOnDisk
        ? { kind: 'directory', path: around.path(paths.overlay) }
        : { kind: 'memory' },
      temporary: around.path(paths.temporary),
      binds: [
        ...kernelBinds(run),
        ...(shared === undefined ? [] : [{ source: shared, target: '/dev/shm', readOnly: false }]),
        ...binds.map((bind) => ({ ...bind, source: around.path(bind.source) })),
      ],
      command: [...arrival(shell, joined.length, { uuid: run.uuid, environment }), ...script],
    });
    const maker = makerCommand({
      namespace: isRoot() ? 'mount' : means.namespace ? 'user' : 'none',
      script: around.script,
      groups: joined,
      user,
      diesWithParent: means.diesWithParent,
    });
    const command = [...pinnedTo(cpuset), ...maker, ...call];
    const supervision = { paths, groups: [], command, environment: apptainerEnvironment(environment) };
    await this.#runs.supervise(run, supervision, signal);
  }

  #binds(run: RunSpecification): Bind[] {
    return [
      ...Object.entries(this.#parts.files).map(([target, source]) => ({ source, target, readOnly: true })),
      { source: run.directory, target: `/${run.uuid}`, readOnly: false },
      ...run.mounts.map(({ source, target }) => ({ source, target, readOnly: true })),
    ];
  }

  #surroundings(
    run: RunSpecification,
    paths: RunPaths,
    image: string,
    binds: readonly Bind[],
    user: SandboxUser | undefined,
  ): Surroundings {
    const { means, program } = this.#parts;
    const { sharedMemory } = run;
    if (user === undefined) {
      return means.namespace
        ? ownSurroundings({ shown: [], sharedMemory, root: paths.root })
        : noSurroundings();
    }
    const own = [
      { source: image, readOnly: true },
      ...[paths.overlay, paths.temporary].map((source) => ({ source, readOnly: false })),
    ];
    const sources = new Map([...own, ...binds].map((one) => [one.source, one]));
    const { passwd, group } = accountFiles(user);
    const accounts = {
      '/etc/passwd': join(paths.directory, 'passwd'),
      '/etc/group': join(paths.directory, 'group'),
    };
    writeFileSync(accounts['/etc/passwd'], passwd, { mode: 0o644 });
    writeFileSync(accounts['/etc/group'], group, { mode: 0o644 });
    return rootSurroundings({
      shown: [...sources.values()].map(({ source, readOnly }) => ({
        source,
        readOnly,
        isFile: statSync(source).isFile(),
      })),
      sharedMemory,
      root: paths.root,
      place: placeBesides([program]),
      accounts,
    });
  }

  recover(handle: RunHandle): Promise<RecoveredRun | undefined> {
    return this.#runs.recover(handle);
  }

  list(): Promise<RunHandle[]> {
    return this.#runs.list();
  }

  wait(handle: RunHandle, signal: AbortSignal): Promise<RunExit> {
    return this.#runs.wait(handle, signal);
  }

  stop(handle: RunHandle): Promise<void> {
    return this.#runs.stop(handle);
  }

  destroy(handle: RunHandle): Promise<void> {
    return this.#runs.destroy(handle);
  }

  statistics(handle: RunHandle): Promise<RunStatistics | undefined> {
    return this.#runs.statistics(handle);
  }

  finalStatistics(handle: RunHandle): Promise<RunStatistics | undefined> {
    return this.#runs.finalStatistics(handle);
  }

  reach(handle: RunHandle, port: number): Promise<ReachablePort | undefined> {
    return this.#runs.reach(handle, port);
  }

  exec(handle: RunHandle, request: ExecRequest): Promise<ExecSession> {
    const { means, tools } = this.#parts;
    // Root need not go through the run's user namespace, in which it would be nobody.
    return execInRun(handle, this.#runs.paths(handle), means.groups, request, {
      ownUserNamespace: !isRoot(),
      setpriv: isRoot() ? tools.setpriv : undefined,
      env: tools.env,
      tools: tools.directory,
    });
  }

  async close(): Promise<void> {
    this.#runs.close();
    await this.#parts.close();
  }
}

/** Places that Apptainer mounts something on, and makes in no image. */
const needed = ['/dev', '/proc', '/sys', '/etc', '/tmp', '/var/tmp'];

/** What the run's own user writes to, and the links and directories that its image lacks. */
function makePlaces(paths: RunPaths, missing: readonly string[], user: SandboxUser | undefined): void {
  const upper = join(paths.overlay, 'upper');
  const own = [paths.overlay, upper, join(paths.overlay, 'work'), paths.temporary];
  for (const directory of own) mkdirSync(directory, { recursive: true });
  for (const path of missing) mkdirSync(join(upper, path), { recursive: true });
  chmodSync(upper, 0o755);
  if (user === undefined) return;
  for (const directory of own) chownSync(directory, user.uid, user.gid);
}

/** What programs read to learn about processors. */
function kernelBinds(run: RunSpecification): Bind[] {
  if (run.gpus.length > 0) return [];
  return kernelDirectories().map((path) => ({ source: path, target: path, readOnly: true }));
}

/** Apptainer shows all of a machine's GPUs; programs keep to these. */
function visibleGpus(gpus: readonly string[]): Record<string, string> {
  return gpus.length === 0 ? {} : { CUDA_VISIBLE_DEVICES: gpus.join(',') };
}
