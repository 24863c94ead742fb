/* What people see of workers: `cl workers` (execution.md §6.6). */
import type { WorkerInfo } from '@sheaf/wire';
import { groupsOf } from '../accounts/groups.ts';
import type { Queries } from '../database/database.ts';
import type { UserViewer } from '../http/viewer.ts';
import { readableMetadata } from '../runs/damage.ts';
import { numberOf } from '../runs/metadata.ts';
import type { WorkerRow } from './register.ts';
import { workerKeyText } from './worker-key.ts';
import { runtimeOf } from './worker-record.ts';

/** Root sees all; others those they own and those shared with a group of theirs. */
export async function workerInfos(queries: Queries, viewer: UserViewer): Promise<WorkerInfo[]> {
  const all = await queries
    .selectFrom('worker')
    .selectAll()
    .orderBy('worker_id')
    .orderBy('user_id')
    .execute();
  const groups = await groupsOf(queries, viewer.id);
  const visible = all.filter(
    (worker) =>
      viewer.isRoot ||
      worker.user_id === viewer.id ||
      (worker.group_uuid !== null && groups.has(worker.group_uuid)),
  );
  const runs = await runsByWorker(queries);
  return visible.map((worker) =>
    describe(worker, runs.get(workerKeyText({ userId: worker.user_id, workerId: worker.worker_id })) ?? []),
  );
}

interface HeldRun {
  readonly uuid: string;
  readonly cpus: number;
  readonly gpus: number;
}

async function runsByWorker(queries: Queries): Promise<Map<string, HeldRun[]>> {
  const rows = await queries
    .selectFrom('assignment')
    .innerJoin('bundle', 'bundle.uuid', 'assignment.run_uuid')
    .select(['bundle.uuid', 'bundle.metadata', 'assignment.user_id', 'assignment.worker_id'])
    .orderBy('bundle.id')
    .execute();
  const byWorker = new Map<string, HeldRun[]>();
  for (const row of rows) {
    const metadata = readableMetadata(row) ?? {};
    // As requested: a run that asks for no core counts as none here, although one is kept for it.
    const run = {
      uuid: row.uuid,
      cpus: numberOf(metadata['request_cpus']),
      gpus: numberOf(metadata['request_gpus']),
    };
    const key = workerKeyText({ userId: row.user_id, workerId: row.worker_id });
    const known = byWorker.get(key);
    if (known === undefined) byWorker.set(key, [run]);
    else known.push(run);
  }
  return byWorker;
}

function describe(worker: WorkerRow, runs: readonly HeldRun[]): WorkerInfo {
  return {
    user_id: worker.user_id,
    worker_id: worker.worker_id,
    group_uuid: worker.group_uuid,
    tag: worker.tag,
    cpus: worker.cpus,
    gpus: worker.gpus,
    memory_bytes: worker.memory_bytes,
    free_disk_bytes: worker.free_disk_bytes,
    checkin_time: Math.floor(worker.checkin_at / 1000),
    socket_id: worker.socket_id,
    run_uuids: runs.map(({ uuid }) => uuid),
    cpus_in_use: sum(runs.map(({ cpus }) => cpus)),
    gpus_in_use: sum(runs.map(({ gpus }) => gpus)),
    shared_file_system: worker.shared_file_system === 1,
    tag_exclusive: worker.tag_exclusive === 1,
    is_terminating: worker.is_terminating === 1,
    preemptible: worker.preemptible === 1,
    exit_after_num_runs: worker.exit_after_num_runs,
    runtime: runtimeOf(worker) ?? null,
    slots: worker.slots,
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
