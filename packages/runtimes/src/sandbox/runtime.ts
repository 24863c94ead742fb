/** Runs in Linux namespaces on the host's own system, for machines without a container engine. No images. */
import { existsSync, statSync } from 'node:fs';
import { chmod, stat, writeFile } from 'node:fs/promises';
import {
  createRunGroup,
  groupDirectoriesOf,
  removeRunGroup,
  usageDirectoriesOf,
} from '../cgroups/run-group.ts';
import type { GroupHost } from '../cgroups/host.ts';
import { groupUsage, outOfMemoryKills } from '../cgroups/usage.ts';
import { runScript, shellMessage } from '../command/shell.ts';
import { changeOwner } from '../files/own-tree.ts';
import { removeTree } from '../files/remove-tree.ts';
import {
  ImageError,
  type PreparedImage,
  type RecoveredRun,
  type RunExit,
  type RunHandle,
  type RunSpecification,
  type RunStatistics,
  type Runtime,
  type RuntimeCapabilities,
} from '../port.ts';
import { hiddenInside, kernelDirectories, nameServerFile, systemEntries } from './layout.ts';
import { isAlive, untilDead } from './liveness.ts';
import { makeMountPoints } from './mount-points.ts';
import { planMounts } from './plan.ts';
import { killProcesses, processUsage } from './processes.ts';
import {
  listRecords,
  readExit,
  readOrUndefined,
  readRecord,
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
  readonly #peaks = new Map<string, number>();

  constructor(options: SandboxRuntimeOptions) {
    this.#options = options;
    this.capabilities = {
      images: false,
      cpuLimit: true,
      memoryLimit: options.groups !== undefined,
      networkIsolation: true,
      gpus: false,
    };
    this.description = describe(options);
  }

  async prepareImage(reference: string): Promise<PreparedImage> {
    throw new ImageError(
      `Can't download image ${reference}: this worker has no container engine and runs commands in a sandbox on its own system`,
      { transient: false },
    );
  }

  async removeImage(): Promise<boolean> {
    return false;
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
    await writeRecord(paths, {
      uuid: run.uuid,
      epoch: run.epoch,
      network: run.network,
      startedAt: Date.now(),
    });
    await chmod(paths.temporary, 0o1777);
    const name = recordName(run.uuid, run.epoch);
    if (groups) {
      const processes = this.#options.processLimit ?? 32_768;
      await createRunGroup(groups, name, { memory: run.memory, cpuset: run.cpuset, processes });
    }
    const shell = existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh';
    const staged = stagedCommand([shell, '-c', runScript(run.command)], {
      directory: `/${run.uuid}`,
      environment: { PATH: path, ...run.environment, HOME: `/${run.uuid}`, CODALAB: 'true' },
      dataLimit: groups ? 0 : run.memory,
    });
    const pinned =
      groups || run.cpuset.length === 0
        ? staged
        : ['/usr/bin/taskset', '--cpu-list', run.cpuset.join(','), ...staged];
    const command = tool.command({
      steps,
      network: run.network,
      root: paths.root,
      user,
      command: pinned,
    });
    await supervise({ paths, groups: groups ? groupDirectoriesOf(groups, name) : [], command }, signal);
  }

  /**
   * Results belong to the run directory's owner. Root's directory is handed to an ordinary user first: root, even without
   * any capability, may read what only root may read on the host, and the host's system is what the run sees.
   */
  async #userFor(directory: string): Promise<SandboxUser | undefined> {
    if (!isRoot()) {
      return undefined;
    }
    const { uid, gid } = await stat(directory);
    if (uid !== 0) {
      return { uid, gid };
    }
    const user = this.#options.user ?? nobody;
    await changeOwner(directory, user.uid, user.gid);
    return user;
  }

  async recover(handle: RunHandle): Promise<RecoveredRun | undefined> {
    const paths = this.#paths(handle);
    if ((await readRecord(paths)) === undefined) {
      return undefined;
    }
    return isAlive(paths.alive) ? { state: 'running' } : { state: 'ended', exit: await this.#exit(handle) };
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
    const record = await readRecord(paths);
    const exit = await readExit(paths);
    const lost = record === undefined || exit === undefined;
    return {
      exitCode: exit?.code ?? null,
      outOfMemory: (await this.#outOfMemory(handle)) > 0,
      message: lost
        ? 'The sandbox of the run has gone, and nobody noted how the command ended'
        : shellMessage(exit.code, (await readOrUndefined(paths.log)) ?? ''),
      startedAt: record?.startedAt ?? null,
      finishedAt: exit?.at ?? null,
    };
  }

  async #outOfMemory(handle: RunHandle): Promise<number> {
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
    this.#peaks.delete(name);
    await removeTree(this.#paths(handle).directory);
  }

  async statistics(handle: RunHandle): Promise<RunStatistics | undefined> {
    const paths = this.#paths(handle);
    if (!isAlive(paths.alive)) {
      return undefined;
    }
    const name = recordName(handle.uuid, handle.epoch);
    const { groups } = this.#options;
    const sample = groups ? await groupUsage(usageDirectoriesOf(groups, name)) : await processUsage(paths);
    if (sample === undefined) {
      return undefined;
    }
    const memoryMax = Math.max(sample.memoryMax, this.#peaks.get(name) ?? 0);
    this.#peaks.set(name, memoryMax);
    return { ...sample, memoryMax };
  }

  /** A sandbox with network access is on the host's own; one without has no address. */
  async address(handle: RunHandle): Promise<string | undefined> {
    const paths = this.#paths(handle);
    const record = await readRecord(paths);
    return record?.network === true && isAlive(paths.alive) ? '127.0.0.1' : undefined;
  }

  async close(): Promise<void> {
    this.#peaks.clear();
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
    ...(options.groups
      ? []
      : ['no control groups, so that memory is limited for each process, not for a run']),
  ]
    .join('; ')
    .concat('.');
}
