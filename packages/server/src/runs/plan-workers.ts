/* The live workers with what they have and what is taken, as the plan sees them (execution.md §13.2). */
import type { PlanWorker } from '@sheaf/domain';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { AssignedRun } from './backlog/assigned-runs.ts';
import type { PlannedWorker, WorkerRow } from './known-workers.ts';
import type { PassContext } from './pass.ts';

/** Whether anything is planned with a worker at all: it is heard of, and what its runs need can be put where it looks for it. */
export function mayTakeRuns(
  worker: Pick<WorkerRow, 'user_id' | 'worker_id' | 'checkin_at' | 'shared_file_system'>,
  { isSilent, laysOut }: Pick<PassContext, 'isSilent' | 'laysOut'>,
): boolean {
  const key = { userId: worker.user_id, workerId: worker.worker_id };
  return (laysOut || worker.shared_file_system === 0) && !isSilent(key, worker.checkin_at);
}

/** @param membersOf members of each sharing group. */
export function planWorkers(
  workers: readonly PlannedWorker[],
  assigned: Iterable<AssignedRun>,
  membersOf: ReadonlyMap<string, ReadonlySet<string>>,
): PlanWorker[] {
  const taken = new Map<string, { cpus: number; gpus: number; memory: number; runs: number }>();
  for (const run of assigned) {
    const sums = taken.get(run.workerKey) ?? { cpus: 0, gpus: 0, memory: 0, runs: 0 };
    taken.set(run.workerKey, sums);
    sums.cpus += run.cpus;
    sums.gpus += run.gpus;
    sums.memory += run.memory;
    sums.runs += 1;
  }
  return workers.map(({ key, row: worker, images, cachedDependencies }) => {
    const sums = taken.get(key);
    return {
      key,
      ownerId: worker.user_id,
      members: (worker.group_uuid === null ? undefined : membersOf.get(worker.group_uuid)) ?? nobody,
      tag: worker.tag,
      tagExclusive: worker.tag_exclusive === 1,
      cpus: worker.cpus,
      gpus: worker.gpus,
      memory: worker.memory_bytes,
      freeDisk: worker.free_disk_bytes,
      cpusInUse: sums?.cpus ?? 0,
      gpusInUse: sums?.gpus ?? 0,
      memoryInUse: sums?.memory ?? 0,
      assignedRuns: sums?.runs ?? 0,
      slots: worker.slots,
      runsLeft: worker.exit_after_num_runs,
      terminating: worker.is_terminating === 1,
      images,
      sharedFileSystem: worker.shared_file_system === 1,
      cachedDependencies,
      cachesContents: worker.protocol >= 2,
      takesHints: worker.protocol >= 2 && worker.shared_file_system !== 1,
    };
  });
}

const nobody: ReadonlySet<string> = new Set();

/** Members of the groups the workers are shared with; the public group has everybody, that is all the given users. */
export async function readSharing(
  unit: UnitOfWork,
  workers: readonly PlannedWorker[],
  users: Iterable<string>,
): Promise<Map<string, ReadonlySet<string>>> {
  const groups = [...new Set(workers.map(({ row }) => row.group_uuid).filter((uuid) => uuid !== null))];
  const members = new Map<string, Set<string>>(groups.map((uuid) => [uuid, new Set()]));
  if (groups.length === 0) return members;
  const rows = await unit.queries
    .selectFrom('group_member')
    .select(['group_uuid', 'user_id'])
    .where('group_uuid', 'in', groups)
    .execute();
  for (const row of rows) members.get(row.group_uuid)?.add(row.user_id);
  const open = await unit.queries
    .selectFrom('user_group')
    .select('uuid')
    .where('uuid', 'in', groups)
    .where('user_defined', '=', 0)
    .execute();
  for (const { uuid } of open) members.set(uuid, new Set(users));
  return members;
}
