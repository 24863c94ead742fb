/**
 * A control group around each container that outlives it. An engine removes a container's own group with its last process, and with
 * it all that was counted; the group above keeps the sum and the peak until we remove it. So a command of a few milliseconds is
 * accounted for as exactly as one of hours.
 */
import { createHash } from 'node:crypto';
import { access, constants, readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno } from '../files/errno.ts';
import type { RunStatistics } from '../port.ts';
import { groupRoot } from './membership.ts';
import { removeGroup } from './run-group.ts';
import { groupUsage, type GroupDirectories } from './usage.ts';

/** Below the place where the engine puts containers by itself: a limit for all of them holds for ours too. */
const enginePlace = '/docker';

export class AccountingGroups {
  /** The engine's word for the place of all groups of this worker. */
  readonly #place: string;
  /** Directories of the hierarchies: one for version 2, one a controller for version 1. */
  readonly #hierarchies: readonly string[];
  readonly #usage: (path: string) => GroupDirectories;

  private constructor(
    place: string,
    hierarchies: readonly string[],
    usage: (path: string) => GroupDirectories,
  ) {
    this.#place = place;
    this.#hierarchies = hierarchies;
    this.#usage = usage;
  }

  /** Undefined: this process cannot make and remove groups at the root of this machine's hierarchies. */
  static async open(worker: string, root: string = groupRoot): Promise<AccountingGroups | undefined> {
    const short = createHash('sha256').update(worker).digest('hex').slice(0, 12);
    const place = `${enginePlace}/sheaf-${short}`;
    if (await isWritable(join(root, 'cgroup.controllers'), join(root, 'cgroup.procs'))) {
      return new AccountingGroups(place, [root], (path) => ({ version: 2, directory: join(root, path) }));
    }
    if (await isWritable(join(root, 'memory'), join(root, 'memory/cgroup.procs'))) {
      const names = (await readdir(root, { withFileTypes: true })).filter((entry) => entry.isDirectory());
      const hierarchies = names.map(({ name }) => join(root, name));
      return new AccountingGroups(place, hierarchies, (path) => ({
        version: 1,
        memory: join(root, 'memory', path),
        cpuacct: join(root, 'cpuacct', path),
      }));
    }
    return undefined;
  }

  /** What to tell the engine when it makes the container of a run. */
  parentOf(name: string): string {
    return `${this.#place}/${name}`;
  }

  /** The container's own use now; undefined where it has gone. */
  usageNow(name: string, container: string): RunStatistics | undefined {
    return groupUsage(this.#usage(join(this.parentOf(name), container)));
  }

  /** All that was used in the group; undefined where it never was, or not on this machine. */
  usageInAll(name: string): RunStatistics | undefined {
    return groupUsage(this.#usage(this.parentOf(name)));
  }

  /** After the container has gone. */
  async remove(name: string): Promise<void> {
    const deadline = Date.now() + watchersTime;
    for (const hierarchy of this.#hierarchies) {
      const group = join(hierarchy, this.parentOf(name));
      if (await removeWatchers(group, deadline)) await removeGroup(group);
    }
  }

  /** The worker ends: where none of its runs is left, neither is their place. */
  async leave(): Promise<void> {
    for (const hierarchy of this.#hierarchies) await removeUnused(join(hierarchy, this.#place));
  }

  /** Removes what a worker that died left behind; `kept` are the names of runs that are still there. */
  async sweep(kept: ReadonlySet<string>): Promise<void> {
    for (const hierarchy of this.#hierarchies) {
      const place = join(hierarchy, this.#place);
      for (const name of await directoriesIn(place)) {
        if (!kept.has(name) && (await removeWatchers(join(place, name), Date.now())))
          await removeUnused(join(place, name));
      }
    }
  }
}

async function isWritable(existing: string, writable: string): Promise<boolean> {
  try {
    await access(existing);
    await access(writable, constants.W_OK);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES', 'EROFS', 'ENOTDIR', 'EPERM')) {
      return false;
    }
    throw error;
  }
}

async function directoriesIn(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) {
      return [];
    }
    throw error;
  }
}

/** For all hierarchies together. Milliseconds. */
const watchersTime = 500;

/**
 * Podman puts those who watch a container and its sessions beside it, leaves their groups behind, and some of them a while longer
 * than the container. Answers whether none is left: what is, goes when the next worker sweeps.
 * @param deadline milliseconds since the epoch
 */
async function removeWatchers(group: string, deadline: number): Promise<boolean> {
  for (;;) {
    const watchers = (await directoriesIn(group)).filter((name) => /^(?:libpod-)?conmon/.test(name));
    if (watchers.length === 0) return true;
    for (const name of watchers) await removeUnused(join(group, name));
    if (Date.now() > deadline) return false;
    await sleep(10);
  }
}

/** A group with a container in it stays. */
async function removeUnused(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if (!isErrno(error, 'EBUSY', 'ENOTEMPTY', 'ENOENT')) {
      throw error;
    }
  }
}
