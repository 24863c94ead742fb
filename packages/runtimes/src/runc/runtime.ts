/** Runs in containers that runc makes directly, without an engine: images unpacked by the worker, an overlay a run. Needs root. */
import { execFile } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { formatSize } from '@sheaf/domain';
import { firstOf, killGroup, pathInHierarchies, removeEverywhere } from '../cgroups/foreign-group.ts';
import type { GroupHost } from '../cgroups/host.ts';
import { createRunGroup, usageDirectoriesOf } from '../cgroups/run-group.ts';
import { groupUsage, outOfMemoryKills } from '../cgroups/usage.ts';
import { shellMessage } from '../command/shell.ts';
import { removeTree } from '../files/remove-tree.ts';
import { imageToStart, type ImageStore, type StartableImage } from '../image-store/image-store.ts';
import type { UnpackedImages } from '../image-store/prepare.ts';
import {
  RuntimeError,
  type ExecRequest,
  type ExecSession,
  type ImageRemoval,
  type PreparedImage,
  type PrepareImageOptions,
  type ReachablePort,
  type RecoveredRun,
  type RunExit,
  type RunHandle,
  type RunSpecification,
  type RunStatistics,
  type Runtime,
  type RuntimeCapabilities,
} from '../port.ts';
import { listenerInside } from '../sandbox/listeners.ts';
import { isAlive, untilDead } from '../sandbox/liveness.ts';
import type { PipeStock } from '../sandbox/pipe-stock.ts';
import { listRecords, readExit, readLog, readOrUndefined, recordName } from '../sandbox/record.ts';
import { bundleConfiguration, type BundleNetwork } from './bundle.ts';
import { execInRunc } from './exec.ts';
import { connectCommand, type RuncNetworks } from './network.ts';
import { readRuncRecord, runcPaths, writeRuncRecord, type RuncPaths } from './record.ts';
import { startProblem } from './start-problem.ts';
import { superviseRunc } from './supervisor.ts';

const execute = promisify(execFile);

export const runcRuntimeName = 'runc';

export interface RuncRuntimeParts {
  /** runc, or what understands its words. */
  readonly program: string;
  /** Name and version. */
  readonly version: string;
  /** Directory of this worker alone, for what must outlive it. */
  readonly stateDirectory: string;
  readonly groups: GroupHost;
  readonly store: ImageStore;
  readonly images: UnpackedImages;
  /** Half a sentence: where images come from. */
  readonly source: string;
  readonly networks: RuncNetworks;
  readonly pipes: PipeStock;
  /** Files that every run has in the place of the image's, by target; those of runs with network access apart. */
  readonly files: {
    readonly all: Readonly<Record<string, string>>;
    readonly network: Readonly<Record<string, string>>;
  };
  /** Processes and threads a run may have at once. */
  readonly processLimit: number;
  readonly close: () => Promise<void>;
}

export class RuncRuntime implements Runtime {
  readonly name = runcRuntimeName;
  readonly capabilities: RuntimeCapabilities = {
    images: true,
    cpuLimit: true,
    memoryLimit: true,
    networkIsolation: true,
    gpus: false,
    exec: true,
  };
  readonly #parts: RuncRuntimeParts;
  readonly #connecting = new Map<string, Promise<string>>();

  constructor(parts: RuncRuntimeParts) {
    this.#parts = parts;
  }

  get description(): string {
    const { version, source, networks } = this.#parts;
    return `${version} without an engine; ${source}; ${networks.words}; no GPUs.`;
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
    const handle = handleOf(run);
    const paths = this.#paths(handle);
    if (existsSync(paths.directory)) {
      // A worker that died before it could note the run down starts the same attempt again.
      await this.destroy(handle);
    }
    try {
      await this.#start(run, image, paths, signal);
      return handle;
    } catch (error) {
      await this.destroy(handle);
      throw error;
    }
  }

  async #start(
    run: RunSpecification,
    image: StartableImage,
    paths: RuncPaths,
    signal: AbortSignal,
  ): Promise<void> {
    const { groups, networks, pipes, files, processLimit, store, program } = this.#parts;
    const name = recordName(run.uuid, run.epoch);
    const { uid, gid } = statSync(run.directory);
    const network: BundleNetwork =
      run.network && !networks.available
        ? { kind: 'host' }
        : { kind: 'own', connect: run.network ? connectCommand('e', paths.address, undefined) : undefined };
    const bundle = bundleConfiguration({
      specification: run,
      image,
      shell: image.shell,
      user: { uid, gid },
      group: pathInHierarchies(groups, name),
      groupVersion: groups.version,
      machine: process.arch,
      network,
      files: run.network ? { ...files.all, ...files.network } : files.all,
    });
    const record = {
      uuid: run.uuid,
      epoch: run.epoch,
      image: image.id,
      network: network.kind,
      startedAt: Date.now(),
    };
    writeRuncRecord(paths, record, bundle, store.root(image.id));
    pipes.place(paths.alive);
    createRunGroup(groups, name, { memory: run.memory, cpuset: run.cpuset, processes: processLimit });
    const said = await superviseRunc({ paths, program, name }, signal);
    if (said !== undefined) {
      throw startProblem(said, {
        memory: formatSize(run.memory),
        outOfMemory: run.memory > 0 && this.#outOfMemory(name) > 0,
      });
    }
  }

  async recover(handle: RunHandle): Promise<RecoveredRun | undefined> {
    const paths = this.#paths(handle);
    const record = readRuncRecord(paths);
    if (record === undefined) {
      return undefined;
    }
    return isAlive(paths.alive)
      ? { state: 'running', startedAt: record.startedAt }
      : { state: 'ended', exit: await this.#exit(handle) };
  }

  async list(): Promise<RunHandle[]> {
    return (await listRecords(this.#parts.stateDirectory)).map(handleOf);
  }

  async wait(handle: RunHandle, signal: AbortSignal): Promise<RunExit> {
    await untilDead(this.#paths(handle).alive, signal);
    return this.#exit(handle);
  }

  async #exit(handle: RunHandle): Promise<RunExit> {
    const paths = this.#paths(handle);
    const name = recordName(handle.uuid, handle.epoch);
    const record = readRuncRecord(paths);
    const exit = readExit(paths);
    if (record === undefined || exit === undefined) {
      // Whoever killed the supervisor has left the command alone: nobody would ever hear of its end.
      await killGroup(this.#parts.groups, name);
      return {
        exitCode: null,
        outOfMemory: false,
        message: 'The supervisor of the run has gone, and nobody noted how the command ended',
        startedAt: record?.startedAt ?? null,
        finishedAt: null,
        interrupted: true,
      };
    }
    return {
      exitCode: exit.code,
      outOfMemory: this.#outOfMemory(name) > 0,
      message: shellMessage(exit.code, readLog(paths) ?? ''),
      startedAt: record.startedAt,
      finishedAt: exit.at,
    };
  }

  #outOfMemory(name: string): number {
    return outOfMemoryKills(usageDirectoriesOf(this.#parts.groups, name));
  }

  async stop(handle: RunHandle): Promise<void> {
    const paths = this.#paths(handle);
    const name = recordName(handle.uuid, handle.epoch);
    if (!isAlive(paths.alive)) {
      return;
    }
    await writeFile(paths.stopped, '');
    const deadline = Date.now() + settingUp;
    // One that is being set up has no process yet; one that has just ended has none any more, and its end is being noted down.
    while (isAlive(paths.alive)) {
      await killGroup(this.#parts.groups, name);
      if (Date.now() > deadline) await killSupervisor(paths);
      await untilDead(paths.alive, AbortSignal.timeout(pause)).catch(ignoreTimeout);
    }
  }

  async destroy(handle: RunHandle): Promise<void> {
    const name = recordName(handle.uuid, handle.epoch);
    await this.stop(handle);
    await killGroup(this.#parts.groups, name);
    await removeEverywhere(this.#parts.groups, name);
    this.#connecting.delete(name);
    await removeTree(this.#paths(handle).directory);
  }

  async statistics(handle: RunHandle): Promise<RunStatistics | undefined> {
    return isAlive(this.#paths(handle).alive) ? this.finalStatistics(handle) : undefined;
  }

  async finalStatistics(handle: RunHandle): Promise<RunStatistics | undefined> {
    return groupUsage(usageDirectoriesOf(this.#parts.groups, recordName(handle.uuid, handle.epoch)));
  }

  async reach(handle: RunHandle, port: number): Promise<ReachablePort | undefined> {
    const paths = this.#paths(handle);
    const record = readRuncRecord(paths);
    const first = isAlive(paths.alive) ? this.#first(handle) : undefined;
    if (record === undefined || first === undefined) {
      return undefined;
    }
    if (record.network === 'host') {
      return listenerInside(first, port);
    }
    const host = readOrUndefined(paths.address) ?? (await this.#connect(handle, paths, first));
    // Its own address: nothing else listens there, whatever the port.
    return host === undefined || host === '' ? undefined : { host, port };
  }

  /** Connects a run without network access to the worker, and to nobody else. */
  async #connect(handle: RunHandle, paths: RuncPaths, first: number): Promise<string | undefined> {
    if (!this.#parts.networks.available) {
      return undefined;
    }
    const name = recordName(handle.uuid, handle.epoch);
    let connecting = this.#connecting.get(name);
    if (connecting === undefined) {
      const [program = '', ...parameters] = connectCommand('i', paths.address, first);
      connecting = execute(program, parameters).then(async () => readOrUndefined(paths.address) ?? '');
      this.#connecting.set(name, connecting);
      connecting.catch(() => this.#connecting.delete(name));
    }
    try {
      return await connecting;
    } catch (error) {
      // It has ended meanwhile.
      if (!isAlive(paths.alive)) return undefined;
      throw new RuntimeError('The run cannot be connected to the worker', { userError: false, cause: error });
    }
  }

  /** @throws RuntimeError the run has ended */
  async exec(handle: RunHandle, request: ExecRequest): Promise<ExecSession> {
    const paths = this.#paths(handle);
    const first = isAlive(paths.alive) ? this.#first(handle) : undefined;
    if (first === undefined) {
      throw new RuntimeError('The run has ended', { userError: true });
    }
    const name = recordName(handle.uuid, handle.epoch);
    return execInRunc({ paths, program: this.#parts.program, name, first }, request);
  }

  #first(handle: RunHandle): number | undefined {
    return firstOf(this.#parts.groups, recordName(handle.uuid, handle.epoch));
  }

  async close(): Promise<void> {
    await this.#parts.close();
  }

  #paths(handle: RunHandle): RuncPaths {
    return runcPaths(this.#parts.stateDirectory, handle.uuid, handle.epoch);
  }
}

function handleOf({ uuid, epoch }: { readonly uuid: string; readonly epoch: number }): RunHandle {
  return { runtime: runcRuntimeName, uuid, epoch, data: {} };
}

/** How long a run may be set up before it is given up, and how often it is looked at. Milliseconds. */
const settingUp = 10_000;
const pause = 20;

function ignoreTimeout(error: unknown): void {
  if (!(error instanceof DOMException && error.name === 'TimeoutError')) throw error;
}

/** And whoever sets the run up for it: all are in its process group. */
async function killSupervisor(paths: RuncPaths): Promise<void> {
  const pid = Number.parseInt(readOrUndefined(paths.supervisor) ?? '', 10);
  if (pid > 0 && isAlive(paths.alive)) {
    process.kill(-pid, 'SIGKILL');
  }
}
