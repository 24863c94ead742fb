/* The live workers with what they have and what is taken, as the plan sees them (execution.md §13.2). */
import { dependencyCacheKey, resolveRequest, type PlanWorker, type RequestSettings } from '@sheaf/domain';
import type { Selectable } from 'kysely';
import type { WorkerTable } from '../database/schema.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { workerKeyText, type WorkerKey } from '../workers/worker-key.ts';
import { cachedDependenciesOf, runtimeOf } from '../workers/worker-record.ts';
import { readableMetadata } from './damage.ts';

export type WorkerRow = Selectable<WorkerTable>;

export interface AssignedRun {
  readonly runUuid: string;
  readonly workerKey: string;
  readonly workerOwner: string;
  readonly runOwner: string;
  readonly cpus: number;
  readonly gpus: number;
  readonly memory: number;
}

/**
 * Workers a run may be given to.
 * @param options.laysOut whether contents can be laid out for workers that share the server's filesystem: those get no runs else
 */
export async function readWorkers(
  unit: UnitOfWork,
  isSilent: (worker: WorkerKey, checkinAt: number) => boolean,
  options: { laysOut: boolean },
): Promise<WorkerRow[]> {
  let query = unit.queries.selectFrom('worker').selectAll();
  if (!options.laysOut) query = query.where('shared_file_system', '=', 0);
  const rows = await query.orderBy('user_id').orderBy('worker_id').execute();
  return rows.filter((row) => !isSilent({ userId: row.user_id, workerId: row.worker_id }, row.checkin_at));
}

/** What every assigned run takes from its worker. */
export async function readAssignedRuns(unit: UnitOfWork, settings: RequestSettings): Promise<AssignedRun[]> {
  const rows = await unit.queries
    .selectFrom('assignment')
    .innerJoin('bundle', 'bundle.uuid', 'assignment.run_uuid')
    .select([
      'assignment.run_uuid',
      'assignment.user_id',
      'assignment.worker_id',
      'bundle.owner_id',
      'bundle.metadata',
    ])
    .execute();
  return rows.map((row) => {
    // Limits by quota do not matter here: only cores, GPUs and memory are booked.
    const request = resolveRequest(readableMetadata(row) ?? {}, settings, { time: 0, disk: 0 });
    return {
      runUuid: row.run_uuid,
      workerKey: workerKeyText({ userId: row.user_id, workerId: row.worker_id }),
      workerOwner: row.user_id,
      runOwner: row.owner_id ?? '',
      cpus: request.ok ? request.value.cpus : 1,
      gpus: request.ok ? request.value.gpus : 0,
      memory: request.ok ? request.value.memory : 0,
    };
  });
}

/** @param membersOf members of each sharing group. */
export function planWorkers(
  workers: readonly WorkerRow[],
  assigned: readonly AssignedRun[],
  membersOf: ReadonlyMap<string, ReadonlySet<string>>,
): PlanWorker[] {
  const taken = new Map<string, { cpus: number; gpus: number; memory: number; runs: number }>();
  for (const run of assigned) {
    const sums = taken.get(run.workerKey) ?? { cpus: 0, gpus: 0, memory: 0, runs: 0 };
    taken.set(run.workerKey, {
      cpus: sums.cpus + run.cpus,
      gpus: sums.gpus + run.gpus,
      memory: sums.memory + run.memory,
      runs: sums.runs + 1,
    });
  }
  return workers.map((worker) => {
    const key = workerKeyText({ userId: worker.user_id, workerId: worker.worker_id });
    const sums = taken.get(key);
    const runtime = runtimeOf(worker);
    return {
      key,
      ownerId: worker.user_id,
      members: (worker.group_uuid === null ? undefined : membersOf.get(worker.group_uuid)) ?? new Set(),
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
      // Original workers say nothing about it and have images; what cannot be read promises nothing.
      images: runtime === null || runtime?.images === true,
      sharedFileSystem: worker.shared_file_system === 1,
      cachedDependencies: new Set(
        cachedDependenciesOf(worker).map(([uuid, path]) => dependencyCacheKey(uuid, path)),
      ),
      cachesContents: worker.protocol >= 2,
      takesHints: worker.protocol >= 2 && worker.shared_file_system !== 1,
    };
  });
}

/** Members of the groups the workers are shared with; the public group has everybody, that is all the given users. */
export async function readSharing(
  unit: UnitOfWork,
  workers: readonly WorkerRow[],
  users: Iterable<string>,
): Promise<Map<string, ReadonlySet<string>>> {
  const groups = [...new Set(workers.map((worker) => worker.group_uuid).filter((uuid) => uuid !== null))];
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

/** For each run, the owners of workers who may control it by a grant: only `all` on the bundle lets their workers take it. */
export async function readControllers(
  unit: UnitOfWork,
  workers: readonly WorkerRow[],
): Promise<Map<string, ReadonlySet<string>>> {
  const owners = [...new Set(workers.map((worker) => worker.user_id))];
  const controllers = new Map<string, Set<string>>();
  if (owners.length === 0) return controllers;
  const granted = unit.queries
    .selectFrom('bundle_permission')
    .innerJoin('bundle', 'bundle.uuid', 'bundle_permission.bundle_uuid')
    .where('bundle.state', '=', 'staged')
    .where('bundle_permission.permission', '=', 2);
  const rows = await granted
    .innerJoin('group_member', 'group_member.group_uuid', 'bundle_permission.group_uuid')
    .select(['bundle_permission.bundle_uuid', 'group_member.user_id'])
    .where('group_member.user_id', 'in', owners)
    .execute();
  const toEverybody = await granted
    .innerJoin('user_group', 'user_group.uuid', 'bundle_permission.group_uuid')
    .select('bundle_permission.bundle_uuid')
    .where('user_group.user_defined', '=', 0)
    .execute();
  const add = (bundle: string, user: string) => {
    const known = controllers.get(bundle) ?? new Set();
    known.add(user);
    controllers.set(bundle, known);
  };
  for (const row of rows) add(row.bundle_uuid, row.user_id);
  for (const row of toEverybody) for (const owner of owners) add(row.bundle_uuid, owner);
  return controllers;
}
