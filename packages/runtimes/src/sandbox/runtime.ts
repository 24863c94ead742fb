/** Runs in Linux namespaces on the host's own system, for machines without a container engine. No images. */
import { chmodSync, existsSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { formatSize } from '@sheaf/domain';
import { createRunGroup, joiningFilesOf, removeRunGroup, usageDirectoriesOf } from '../cgroups/run-group.ts';
import type { GroupHost } from '../cgroups/host.ts';
import { groupUsage, outOfMemoryKills } from '../cgroups/usage.ts';
import { runScript, shellMessage } from '../command/shell.ts';
import { changeOwner } from '../files/own-tree.ts';
import { removeTree } from '../files/remove-tree.ts';
import {
  ImageError,
  RuntimeError,
  type ImageRemoval,
  type ExecRequest,
  type ExecSession,
  type ReachablePort,
  type PreparedImage,
  type RecoveredRun,
  type RunExit,
  type RunHandle,
  type RunSpecification,
  type RunStatistics,
  type Runtime,
  type RuntimeCapabilities,
} from '../port.ts';
import { canEnter, execInRun, reachRun, whyNoEntry } from './enter-run.ts';
import { pinnedTo } from './exec.ts';
import { hiddenInside, kernelDirectories, nameServerFile, systemEntries } from './layout.ts';
import { isAlive, untilDead } from './liveness.ts';
import { makeMountPoints } from './mount-points.ts';
import { planMounts } from './plan.ts';
import { killProcesses, processUsage } from './processes.ts';
import {
  listRecords,
  readExit,
  readLog,
  readRecord,
  readTimes,
  recordName,
  runPaths,
  writeRecord,
  type RunPaths,
} from './record.ts';
import { stagedCommand, supervise } from './supervisor.ts';
import type { SandboxTool } from './tools.ts';
import { isRoot, nobody, type SandboxUser } from './user.ts';

export const sandboxRuntimeName = 'sandbox';

export interface SandboxRuntimeOptions {
  /** Directory of this worker alone, for what must outlive it. */
  readonly stateDirectory: string;
  /** Files and directories no run may see, such as the server's data; those outside system directories are hidden anyway. */
  readonly hide: readonly string[];
  readonly tool: SandboxTool;
  /** Where control groups can be made; undefined: nowhere, and limits are weaker. */
  readonly groups: GroupHost | undefined;
  /** Who runs commands of a worker that is root, in directories that are root's; default nobody (65534). */
  readonly user?: SandboxUser | undefined;
  /** Processes and threads a run may have at once; default 32768. */
  readonly processLimit?: number | undefined;
}

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export class SandboxRuntime implements Runtime {
  readonly name = sandboxRuntimeName;
  readonly capabilities: RuntimeCapabilities;
  readonly description: string;
  readonly #options: SandboxRuntimeOptions;
  /** The newest samples, with the most memory of all. */
  readonly #seen = new Map<string, RunStatistics>();

  constructor(options: SandboxRuntimeOptions) {
    this.#options = options;
    this.capabilities = {
      images: false,
      cpuLimit: true,
      memoryLimit: options.groups !== undefined,
      networkIsolation: true,
      gpus: false,
      exec: canEnter(options.tool),
    };
    this.description = describe(options);
  }

  async prepareImage(reference: string): Promise<PreparedImage> {
    throw new ImageError(
      `Can't download image ${reference}: this worker has no container engine and runs commands in a sandbox on its own system`,
      { transient: false },
    );
  }

  async removeImage(): Promise<ImageRemoval> {
    return 'gone';
  }

  async start(run: RunSpecification, signal: AbortSignal): Promise<RunHandle> {
    signal.throwIfAborted();
    const handle = handleOf(run);
    const paths = this.#paths(handle);
    if (existsSync(paths.directory)) {
      // A worker that died before it could note the run down starts the same attempt again.
      await this.destroy(handle);
    }
    try {
      await this.#start(run, paths, signal);
      return handle;
    } catch (error) {
      await this.destroy(handle);
      throw error;
    }
  }

  async #start(run: RunSpecification, paths: RunPaths, signal: AbortSignal): Promise<void> {
    const { groups, tool, hide } = this.#options;
    const entries = systemEntries();
    const steps = planMounts(run, {
      entries,
      hidden: hiddenInside([...hide, this.#options.stateDirectory], entries),
      kernelDirectories: kernelDirectories(),
      nameServers: nameServerFile(),
      temporary: paths.temporary,
      isFile: (source) => statSync(source).isFile(),
    });
    const user = await this.#userFor(run.directory);
    await makeMountPoints(run, user);
    const environment = { PATH: path, ...run.environment, HOME: `/${run.uuid}`, CODALAB: 'true' };
    const dataLimit = groups ? 0 : run.memory;
    const cpuset = groups ? [] : run.cpuset;
    writeRecord(paths, {
      uuid: run.uuid,
      epoch: run.epoch,
      network: run.network,
      startedAt: Date.now(),
      command: { environment, user: user ?? null, cpuset: [...cpuset], dataLimit },
    });
    chmodSync(paths.temporary, 0o1777);
    const name = recordName(run.uuid, run.epoch);
    const processes = this.#options.processLimit ?? 32_768;
    if (groups) {
      createRunGroup(groups, name, { memory: run.memory, cpuset: run.cpuset, processes });
    }
    const shell = existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh';
    const staged = stagedCommand([shell, '-c', runScript(run.command)], {
      directory: `/${run.uuid}`,
      environment,
      dataLimit,
      processLimit: groups ? 0 : processes,
      counted: groups !== undefined,
    });
    const command = tool.command({
      steps,
      network: run.network,
      root: paths.root,
      user,
      command: [...pinnedTo(cpuset), ...staged],
    });
    try {
      await supervise({ paths, groups: groups ? joiningFilesOf(groups, name) : [], command }, signal);
    } catch (error) {
      if (this.#outOfMemory(run) > 0) {
        throw new RuntimeError(
          `The memory limit of ${formatSize(run.memory)} is too low to start a command`,
          {
            userError: true,
            cause: error,
          },
        );
      }
      throw error;
    }
  }

  /**
   * Results belong to the run directory's owner. Root's directory is handed to an ordinary user first: root, even without
   * any capability, may read what only root may read on the host, and the host's system is what the run sees.
   */
  async #userFor(directory: string): Promise<SandboxUser | undefined> {
    if (!isRoot()) {
      return undefined;
    }
    const { uid, gid } = statSync(directory);
    if (uid !== 0) {
      return { uid, gid };
    }
    const user = this.#options.user ?? nobody;
    await changeOwner(directory, user.uid, user.gid);
    return user;
  }

  async recover(handle: RunHandle): Promise<RecoveredRun | undefined> {
    const paths = this.#paths(handle);
    const record = readRecord(paths);
    if (record === undefined) {
      return undefined;
    }
    return isAlive(paths.alive)
      ? { state: 'running', startedAt: record.startedAt }
      : { state: 'ended', exit: await this.#exit(handle) };
  }

  async list(): Promise<RunHandle[]> {
    return (await listRecords(this.#options.stateDirectory)).map(handleOf);
  }

  async wait(handle: RunHandle, signal: AbortSignal): Promise<RunExit> {
    await untilDead(this.#paths(handle).alive, signal);
    return this.#exit(handle);
  }

  async #exit(handle: RunHandle): Promise<RunExit> {
    const paths = this.#paths(handle);
    const record = readRecord(paths);
    const exit = readExit(paths);
    const lost = record === undefined || exit === undefined;
    return {
      exitCode: exit?.code ?? null,
      outOfMemory: this.#outOfMemory(handle) > 0,
      message: lost
        ? 'The sandbox of the run has gone, and nobody noted how the command ended'
        : shellMessage(exit.code, readLog(paths) ?? ''),
      startedAt: record?.startedAt ?? null,
      finishedAt: exit?.at ?? null,
    };
  }

  #outOfMemory(handle: Pick<RunHandle, 'uuid' | 'epoch'>): number {
    const { groups } = this.#options;
    return groups ? outOfMemoryKills(usageDirectoriesOf(groups, recordName(handle.uuid, handle.epoch))) : 0;
  }

  async stop(handle: RunHandle): Promise<void> {
    const paths = this.#paths(handle);
    if (isAlive(paths.alive)) {
      await writeFile(paths.stopped, '');
      await killProcesses(paths);
      await untilDead(paths.alive, AbortSignal.timeout(30_000));
    }
  }

  async destroy(handle: RunHandle): Promise<void> {
    await this.stop(handle);
    const name = recordName(handle.uuid, handle.epoch);
    if (this.#options.groups) {
      await removeRunGroup(this.#options.groups, name);
    }
    this.#seen.delete(name);
    await removeTree(this.#paths(handle).directory);
  }

  async statistics(handle: RunHandle): Promise<RunStatistics | undefined> {
    const paths = this.#paths(handle);
    if (!isAlive(paths.alive)) {
      return undefined;
    }
    const name = recordName(handle.uuid, handle.epoch);
    const { groups } = this.#options;
    const sample = groups ? groupUsage(usageDirectoriesOf(groups, name)) : await processUsage(paths);
    if (sample === undefined) {
      return undefined;
    }
    const memoryMax = Math.max(sample.memoryMax, this.#seen.get(name)?.memoryMax ?? 0);
    const seen = { ...sample, memoryMax };
    this.#seen.set(name, seen);
    return seen;
  }

  async finalStatistics(handle: RunHandle): Promise<RunStatistics | undefined> {
    const name = recordName(handle.uuid, handle.epoch);
    const { groups } = this.#options;
    if (groups) {
      return groupUsage(usageDirectoriesOf(groups, name));
    }
    // Processor time as the kernel counted it, unless the run was killed; memory as we happened to see it.
    const seen = this.#seen.get(name);
    const times = readTimes(this.#paths(handle));
    return times === undefined
      ? seen
      : {
          cpuUser: Math.max(times.cpuUser, seen?.cpuUser ?? 0),
          cpuSystem: Math.max(times.cpuSystem, seen?.cpuSystem ?? 0),
          memory: 0,
          memoryMax: seen?.memoryMax ?? 0,
        };
  }

  reach(handle: RunHandle, port: number): Promise<ReachablePort | undefined> {
    return reachRun(this.#paths(handle), port);
  }

  exec(handle: RunHandle, request: ExecRequest): Promise<ExecSession> {
    return execInRun(handle, this.#paths(handle), this.#options, request);
  }

  async close(): Promise<void> {
    this.#seen.clear();
  }

  #paths(handle: RunHandle): RunPaths {
    return runPaths(this.#options.stateDirectory, handle.uuid, handle.epoch);
  }
}

function handleOf({ uuid, epoch }: { readonly uuid: string; readonly epoch: number }): RunHandle {
  return { runtime: sandboxRuntimeName, uuid, epoch, data: {} };
}

function describe(options: SandboxRuntimeOptions): string {
  return [
    `Sandbox on this system (${options.tool.description}); no images`,
    'runs with network access share the network of this host',
    ...(canEnter(options.tool) ? [] : [whyNoEntry]),
    ...(options.groups
      ? []
      : ['no control groups, so that memory is limited for each process, not for a run']),
  ]
    .join('; ')
    .concat('.');
}
