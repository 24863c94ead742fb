/**
 * What a container uses. Where the engine is on this machine, its control group is read: fractions of a millisecond, and the
 * kernel's own peak. Elsewhere the engine is asked for one sample.
 */
import { groupDirectories, groupRoot, groupsOfProcess } from '../cgroups/membership.ts';
import { groupUsage, type GroupDirectories } from '../cgroups/usage.ts';
import type { EngineClient } from '../engine/client.ts';
import { EngineError, isConflict, isNotFound } from '../engine/errors.ts';
import type { Statistics } from '../engine/schema.ts';
import type { RunStatistics } from '../port.ts';
import { isRunning } from './exit.ts';

export class ContainerStatistics {
  readonly #engine: EngineClient;
  readonly #groups = new Map<string, GroupDirectories>();
  readonly #peaks = new Map<string, number>();

  constructor(engine: EngineClient) {
    this.#engine = engine;
  }

  async sample(container: string): Promise<RunStatistics | undefined> {
    const known = this.#groups.get(container);
    if (known) {
      return groupUsage(known);
    }
    try {
      const state = await this.#engine.inspectContainer(container);
      if (!isRunning(state)) {
        return undefined;
      }
      const group = await localGroup(state.State.Pid, state.Id);
      if (group) {
        this.#groups.set(container, group);
        return await groupUsage(group);
      }
      return this.#withPeak(container, fromEngine(await this.#engine.containerStatistics(container)));
    } catch (error) {
      if (isNotFound(error) || isConflict(error)) {
        return undefined;
      }
      throw error;
    }
  }

  forget(container: string): void {
    this.#groups.delete(container);
    this.#peaks.delete(container);
  }

  #withPeak(container: string, sample: RunStatistics): RunStatistics {
    const memoryMax = Math.max(sample.memoryMax, this.#peaks.get(container) ?? 0);
    this.#peaks.set(container, memoryMax);
    return { ...sample, memoryMax };
  }
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
