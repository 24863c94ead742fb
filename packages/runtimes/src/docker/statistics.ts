/**
 * What a container uses. Where the engine is on this machine, control groups are read: fractions of a millisecond, and the
 * kernel's own peak. Elsewhere the engine is asked for one sample.
 */
import type { AccountingGroups } from '../cgroups/accounting.ts';
import { followGroup, type Following } from '../cgroups/last-reading.ts';
import { groupDirectories, groupRoot, groupsOfProcess } from '../cgroups/membership.ts';
import { groupUsage, type GroupDirectories } from '../cgroups/usage.ts';
import type { EngineClient } from '../engine/client.ts';
import { EngineError, isConflict, isNotFound } from '../engine/errors.ts';
import type { Statistics } from '../engine/schema.ts';
import type { RunStatistics } from '../port.ts';
import { isRunning } from './exit.ts';

interface Seen {
  /** The container's group, where that is on this machine. */
  group?: GroupDirectories;
  following?: Following<RunStatistics>;
  /** The newest sample. */
  last?: RunStatistics;
}

export class ContainerStatistics {
  readonly #engine: EngineClient;
  readonly #accounts: AccountingGroups | undefined;
  readonly #seen = new Map<string, Seen>();

  /** @param accounts the groups around the containers of this worker; undefined where there can be none. */
  constructor(engine: EngineClient, accounts: AccountingGroups | undefined) {
    this.#engine = engine;
    this.#accounts = accounts;
  }

  /** @param run the run's name among the accounts. Undefined: the container does not run. */
  async sample(container: string, run: string): Promise<RunStatistics | undefined> {
    const accounted = this.#accounts?.usageNow(run, container);
    if (accounted) {
      return accounted;
    }
    const seen = this.#seen.get(container);
    return seen?.group ? this.#note(container, groupUsage(seen.group)) : this.#ask(container);
  }

  /** What a container that has ended used in all, as far as that is known; until it is forgotten. */
  async final(container: string, run: string): Promise<RunStatistics | undefined> {
    const seen = this.#seen.get(container);
    return this.#accounts?.usageInAll(run) ?? seen?.following?.last ?? seen?.last;
  }

  /** The container has been removed. */
  async forget(container: string, run: string): Promise<void> {
    this.#seen.get(container)?.following?.stop();
    this.#seen.delete(container);
    await this.#accounts?.remove(run);
  }

  close(): void {
    for (const { following } of this.#seen.values()) following?.stop();
    this.#seen.clear();
  }

  async #ask(container: string): Promise<RunStatistics | undefined> {
    try {
      const state = await this.#engine.inspectContainer(container);
      if (!isRunning(state)) {
        return undefined;
      }
      const group = await localGroup(state.State.Pid, state.Id);
      if (group) {
        this.#seen.set(container, { group, ...follow(group) });
        return this.#note(container, groupUsage(group));
      }
      return this.#note(container, fromEngine(await this.#engine.containerStatistics(container)));
    } catch (error) {
      if (isNotFound(error) || isConflict(error)) {
        return undefined;
      }
      throw error;
    }
  }

  /** Keeps the sample, with the highest memory of all that were seen. */
  #note(container: string, sample: RunStatistics | undefined): RunStatistics | undefined {
    if (sample === undefined) {
      return undefined;
    }
    const seen = this.#seen.get(container);
    const last = { ...sample, memoryMax: Math.max(sample.memoryMax, seen?.last?.memoryMax ?? 0) };
    this.#seen.set(container, { ...seen, last });
    return last;
  }
}

/** Groups of version 1 do not tell when they become empty. */
function follow(group: GroupDirectories): Pick<Seen, 'following'> {
  return group.version === 2 ? { following: followGroup(group.directory, () => groupUsage(group)) } : {};
}

/** The group of a process, if it names the container: a remote engine's process number means nothing here. */
async function localGroup(pid: number, container: string): Promise<GroupDirectories | undefined> {
  const membership = pid > 0 ? await groupsOfProcess(pid) : undefined;
  const path = membership?.get('memory') ?? membership?.get('');
  if (!membership || path === undefined || !path.includes(container)) {
    return undefined;
  }
  return groupDirectories(membership, groupRoot);
}

function fromEngine(answer: Statistics): RunStatistics {
  const { cpu_stats: cpu, memory_stats: memory } = answer;
  if (memory.usage === undefined || memory.usage === null) {
    throw new EngineError(409, 'the container is not running');
  }
  const cache = memory.stats?.['inactive_file'] ?? memory.stats?.['total_inactive_file'] ?? 0;
  return {
    cpuUser: (cpu.cpu_usage.usage_in_usermode ?? 0) / 1e9,
    cpuSystem: (cpu.cpu_usage.usage_in_kernelmode ?? 0) / 1e9,
    memory: Math.max(0, memory.usage - cache),
    memoryMax: memory.max_usage ?? memory.usage,
  };
}
