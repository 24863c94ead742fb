/** Gets what a run depends on, and decides where it is mounted (execution.md §17.2, §20.2). */
import { DependencyProblem, type CachedDependency } from '../../cache/dependency.ts';
import { messageOf } from '../../errors.ts';
import { LayoutProblem, planLayout, type PlacedDependency } from '../../layout/plan.ts';
import { causeOfDependency } from '../causes.ts';
import { RunFailure } from '../interruption.ts';
import type { RunRecord } from '../record.ts';
import type { Attempt } from '../tools.ts';

/** @param say words for the user about what is waited for */
export async function fetchDependencies(attempt: Attempt, say: (status: string) => void): Promise<void> {
  const { run, tools, signal } = attempt;
  const { dependencies } = run.record.message.bundle;
  const progress = new Map<string, string>();
  const tell = () => say(describeProgress(progress));
  const placed = await Promise.all(
    dependencies.map(async ({ child_path: key, parent_uuid, parent_path, entry }) => {
      const wanted = { parentUuid: parent_uuid, parentPath: parent_path, entry: entry ?? undefined };
      try {
        const cached: CachedDependency = await tools.cache.acquire(run.uuid, wanted, signal, (status) => {
          progress.set(key, status);
          tell();
        });
        return { key, source: cached.path, names: cached.names, name: cached.name };
      } catch (error) {
        signal.throwIfAborted();
        throw failureOf(key, error);
      } finally {
        progress.delete(key);
      }
    }),
  );
  run.record.cached = [...new Set(placed.map(({ name }) => name))];
  layOutDependencies(run.record, placed);
}

/** Notes where everything is mounted, and what links lead there. @throws RunFailure */
export function layOutDependencies(record: RunRecord, placed: readonly PlacedDependency[]): void {
  const { mounts, links } = layoutOf(record.uuid, placed);
  record.mounts = [...mounts];
  record.links = [...links];
}

function failureOf(key: string, error: unknown): RunFailure {
  const message = error instanceof DependencyProblem ? error.message : messageOf(error);
  return new RunFailure(`Failed to download dependency ${key}: ${message}`, causeOfDependency(error), {
    cause: error,
  });
}

function layoutOf(uuid: string, placed: Parameters<typeof planLayout>[1]): ReturnType<typeof planLayout> {
  try {
    return planLayout(uuid, placed);
  } catch (error) {
    if (error instanceof LayoutProblem)
      throw new RunFailure(error.message, 'dependency-refused', { cause: error });
    throw error;
  }
}

function describeProgress(progress: ReadonlyMap<string, string>): string {
  const [first] = progress;
  if (first === undefined) return '';
  const more = progress.size === 1 ? '' : ` (and ${progress.size - 1} more)`;
  return `Downloading dependency ${first[0]}: ${first[1]}${more}`;
}
