/** What a run's container is called, and the labels by which a worker knows its own. */
import type { RunHandle } from '../port.ts';

export const labels = { worker: 'sheaf.worker', run: 'sheaf.run', epoch: 'sheaf.epoch' } as const;

/**
 * `codalab_run_<uuid>` (execution §20.1) for the first attempt. Later ones carry their number: a worker that was cut off
 * may still hold an earlier attempt on the same engine, and the two must not meet.
 */
export function containerName(uuid: string, epoch: number): string {
  return epoch <= 1 ? `codalab_run_${uuid}` : `codalab_run_${uuid}_${epoch}`;
}

export type EngineName = 'docker' | 'podman';

export function containerHandle(
  runtime: EngineName,
  uuid: string,
  epoch: number,
  container: string,
): RunHandle {
  return { runtime, uuid, epoch, data: { container } };
}

/** Id of the container, or its name where the handle was kept before the id was known. */
export function containerOf(handle: RunHandle): string {
  const { container } = handle.data;
  return typeof container === 'string' ? container : containerName(handle.uuid, handle.epoch);
}
