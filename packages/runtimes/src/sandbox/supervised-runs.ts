/**
 * Runs below a supervisor of `supervisor.ts`, whoever makes what they run in: found again, waited for, killed, counted and removed
 * by what they leave on the disk.
 */
import { existsSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatSize } from '@sheaf/domain';
import type { GroupHost } from '../cgroups/host.ts';
import { removeRunGroup, usageDirectoriesOf } from '../cgroups/run-group.ts';
import { groupUsage, outOfMemoryKills } from '../cgroups/usage.ts';
import { shellMessage } from '../command/shell.ts';
import { changeOwner } from '../files/own-tree.ts';
import { removeTree } from '../files/remove-tree.ts';
import {
  RuntimeError,
  type ReachablePort,
  type RecoveredRun,
  type RunExit,
  type RunHandle,
  type RunSpecification,
  type RunStatistics,
} from '../port.ts';
import { reachRun } from './enter-run.ts';
import { isAlive, untilDead } from './liveness.ts';
import { PipeStock } from './pipe-stock.ts';
import { killMakers, killProcesses, processUsage } from './processes.ts';
import {
  listRecords,
  readExit,
  readLog,
  readRecord,
  readTimes,
  recordName,
  runPaths,
  type RunPaths,
} from './record.ts';
import { supervise, type Supervision } from './supervisor.ts';
import { isRoot, nobody, type SandboxUser } from './user.ts';

export interface SupervisedRunsOptions {
  /** Name of the runtime, for handles. */
  readonly runtime: string;
  /** What runs are in, for people: `sandbox`. */
  readonly thing: string;
  /** Directory of this worker alone, for what must outlive it. */
  readonly stateDirectory: string;
  /** Whether the first process in there is to be counted: one that is small. */
  readonly firstCounts: boolean;
  /** Where control groups can be made; undefined: nowhere. */
  readonly groups: GroupHost | undefined;
  /** Who runs commands of a worker that is root, in directories that are root's; default nobody (65534). */
  readonly user?: SandboxUser | undefined;
}

export class SupervisedRuns {
  readonly #options: SupervisedRunsOptions;
  readonly #pipes: PipeStock;
  /** The newest samples, with the most memory of all. */
  readonly #seen = new Map<string, RunStatistics>();

  constructor(options: SupervisedRunsOptions) {
    this.#options = options;
    this.#pipes = new PipeStock(join(options.stateDirectory, 'pipes'));
  }

  /** @param start leaves nothing to do where it succeeds, and what it has made to us where it fails */
  async start(
    run: RunSpecification,
    signal: AbortSignal,
    start: (paths: RunPaths) => Promise<void>,
  ): Promise<RunHandle> {
    signal.throwIfAborted();
    const handle = this.#handleOf(run);
    const paths = this.paths(handle);
    if (existsSync(paths.directory)) {
      // A worker that died before it could note the run down starts the same attempt again.
      await this.destroy(handle);
    }
    try {
      await start(paths);
      return handle;
    } catch (error) {
      await this.destroy(handle);
      throw error;
    }
  }

  /** @throws RuntimeError the command does not run */
  async supervise(run: RunSpecification, supervision: Supervision, signal: AbortSignal): Promise<void> {
    try {
      this.#pipes.place(supervision.paths.alive);
      await supervise(supervision, this.#options.thing, signal);
    } catch (error) {
      if (!this.#outOfMemory(run)) throw error;
      throw new RuntimeError(`The memory limit of ${formatSize(run.memory)} is too low to start a command`, {
        userError: true,
        cause: error,
      });
    }
  }

  /**
   * Results belong to the run directory's owner. Root's directory is handed to an ordinary user first: root, even without
   * any capability, may read and change what only root may on the host.
   */
  async userFor(directory: string): Promise<SandboxUser | undefined> {
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
    const paths = this.paths(handle);
    const record = readRecord(paths);
    if (record === undefined) {
      return undefined;
    }
    return isAlive(paths.alive)
      ? { state: 'running', startedAt: record.startedAt }
      : { state: 'ended', exit: await this.#exit(handle) };
  }

  async list(): Promise<RunHandle[]> {
    return (await listRecords(this.#options.stateDirectory)).map((run) => this.#handleOf(run));
  }

  async wait(handle: RunHandle, signal: AbortSignal): Promise<RunExit> {
    await untilDead(this.paths(handle).alive, signal);
    return this.#exit(handle);
  }

  async #exit(handle: RunHandle): Promise<RunExit> {
    const paths = this.paths(handle);
    const record = readRecord(paths);
    const exit = readExit(paths);
    const lost = record === undefined || exit === undefined;
    // Nobody would ever hear of its end.
    if (lost) await killMakers(paths);
    return {
      exitCode: exit?.code ?? null,
      outOfMemory: this.#outOfMemory(handle),
      message: lost
        ? `The ${this.#options.thing} of the run has gone, and nobody noted how the command ended`
        : shellMessage(exit.code, readLog(paths) ?? ''),
      startedAt: record?.startedAt ?? null,
      finishedAt: exit?.at ?? null,
    };
  }

  #outOfMemory({ uuid, epoch }: Pick<RunHandle, 'uuid' | 'epoch'>): boolean {
    const { groups } = this.#options;
    return groups !== undefined && outOfMemoryKills(usageDirectoriesOf(groups, recordName(uuid, epoch))) > 0;
  }

  async stop(handle: RunHandle): Promise<void> {
    const paths = this.paths(handle);
    if (isAlive(paths.alive)) {
      await writeFile(paths.stopped, '');
      await killProcesses(paths);
      await untilDead(paths.alive, AbortSignal.timeout(30_000));
    }
    if (readExit(paths) === undefined) await killMakers(paths);
  }

  async destroy(handle: RunHandle): Promise<void> {
    await this.stop(handle);
    const name = recordName(handle.uuid, handle.epoch);
    if (this.#options.groups) {
      await removeRunGroup(this.#options.groups, name);
    }
    this.#seen.delete(name);
    await removeTree(this.paths(handle).directory);
  }

  async statistics(handle: RunHandle): Promise<RunStatistics | undefined> {
    const paths = this.paths(handle);
    if (!isAlive(paths.alive)) {
      return undefined;
    }
    const name = recordName(handle.uuid, handle.epoch);
    const { groups } = this.#options;
    // One that was started where no groups could be made has none.
    const sample =
      (groups && groupUsage(usageDirectoriesOf(groups, name))) ??
      (await processUsage(paths, this.#options.firstCounts));
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
    const counted = groups && groupUsage(usageDirectoriesOf(groups, name));
    if (counted !== undefined) {
      return counted;
    }
    // Processor time as the kernel counted it, unless the run was killed; memory as we happened to see it.
    const seen = this.#seen.get(name);
    const times = readTimes(this.paths(handle));
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
    return reachRun(this.paths(handle), port);
  }

  paths({ uuid, epoch }: Pick<RunHandle, 'uuid' | 'epoch'>): RunPaths {
    return runPaths(this.#options.stateDirectory, uuid, epoch);
  }

  #handleOf({ uuid, epoch }: Pick<RunHandle, 'uuid' | 'epoch'>): RunHandle {
    return { runtime: this.#options.runtime, uuid, epoch, data: {} };
  }

  async close(): Promise<void> {
    this.#seen.clear();
    await this.#pipes.close();
  }
}
