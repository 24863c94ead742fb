/* Reading the JSON columns of a worker's row; what they hold came from outside (execution.md §31.4). */
import { workerRuntime, type WorkerRuntime } from '@sheaf/wire';
import { z } from 'zod';
import { readableJson } from '../database/readable-json.ts';
import type { WorkerRow } from './register.ts';

/** Null for original workers, which say nothing about it; undefined where the column cannot be read. */
export function runtimeOf(worker: Pick<WorkerRow, 'runtime'>): WorkerRuntime | null | undefined {
  if (worker.runtime === null) return null;
  return workerRuntime.nullable().safeParse(readableJson(worker.runtime)).data;
}

const dependencyKeys = z.array(z.tuple([z.string(), z.string()]));

/** Pairs of parent uuid and path; none where the column cannot be read. */
export function cachedDependenciesOf(worker: Pick<WorkerRow, 'dependencies'>): [string, string][] {
  return dependencyKeys.safeParse(readableJson(worker.dependencies)).data ?? [];
}
