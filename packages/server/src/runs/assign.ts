/* Gives a staged run to a worker: state, assignment and message in one transaction (execution.md §13.5). */
import type { Metadata, ResourceRequest } from '@sheaf/domain';
import { sql } from 'kysely';
import { transitionAll } from '../bundles/transition.ts';
import { attempt } from '../database/attempt.ts';
import { endsTransaction } from '../database/contention.ts';
import type { DependencyEntries } from '../contents/dependency-entries.ts';
import { givenRows, insertRows } from '../database/given-rows.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { queueMessages, type NewMessage } from '../workers/message-queue.ts';
import { WorkerStarts } from './worker-starts.ts';
import type { WorkerKey } from '../workers/worker-key.ts';
import { assignmentColumns } from './assignments.ts';
import { history, type NamedWorker } from './history.ts';
import { epochSeconds } from './metadata.ts';
import { noteActions, type KnownInput } from './run-action.ts';
import { runMessage, type MessageDependency } from './run-message.ts';
import { noteSharedRun } from './shared-filesystem/records.ts';

export interface AssignableRun {
  readonly uuid: string;
  readonly metadata: Metadata;
  readonly request: ResourceRequest;
  readonly nextEpoch: number;
  readonly isAnonymous: boolean;
}

export interface AssigningWorker extends NamedWorker {
  readonly sharesFilesystem: boolean;
}

/** `not now`: the run waits no more, or the worker takes no more. `odd`: something is wrong with the run itself. */
export type AssignOutcome =
  | { readonly kind: 'assigned' | 'not now' }
  | { readonly kind: 'odd'; readonly error: unknown };

export interface GivenRun {
  readonly run: AssignableRun;
  readonly worker: AssigningWorker;
}

/**
 * Gives runs to workers, with a few statements for all of them; one that is odd costs only itself.
 * @param given each run once, in the order in which workers with few starts left are to take them
 * @returns what became of each, in the order given
 * @throws only what ends the whole transaction (`endsTransaction`)
 */
export async function assignRuns(
  unit: UnitOfWork,
  entries: DependencyEntries,
  given: readonly GivenRun[],
  now: number,
): Promise<AssignOutcome[]> {
  if (given.length === 0) return [];
  try {
    const assigned = await attempt(unit, () => assignTogether(unit, entries, given, now));
    return given.map(({ run }) => ({ kind: assigned.has(run.uuid) ? 'assigned' : 'not now' }));
  } catch (error) {
    if (endsTransaction(error)) throw error;
    const [only, ...others] = given;
    if (only === undefined || others.length === 0) return [{ kind: 'odd', error }];
  }
  // Halves, until those that are odd stand alone: a thousand good ones are not done one by one for its sake.
  const middle = Math.ceil(given.length / 2);
  return [
    ...(await assignRuns(unit, entries, given.slice(0, middle), now)),
    ...(await assignRuns(unit, entries, given.slice(middle), now)),
  ];
}

/** Answers the uuids of the runs that now are their workers'. */
async function assignTogether(
  unit: UnitOfWork,
  entries: DependencyEntries,
  given: readonly GivenRun[],
  now: number,
): Promise<ReadonlySet<string>> {
  const starts = await WorkerStarts.read(
    unit,
    given.map(({ worker }) => worker),
  );
  const taken = given.filter(({ worker }) => starts.take(worker));
  const rows = await transitionAll(
    unit,
    'run',
    taken.map(({ run, worker }) => ({
      uuid: run.uuid,
      from: 'staged',
      next: 'starting',
      metadata: { last_updated: epochSeconds(now), run_status: offered(run, worker) },
      nextEpoch: true,
      event: history('assigned', (names) => `Given to ${names.worker}, which is asked to begin.`, {
        worker,
        attempt: run.nextEpoch,
      }),
    })),
    now,
  );
  for (const { run, worker } of taken) if (!rows.has(run.uuid)) starts.giveBack(worker);
  await starts.write(unit);
  const moved = taken.flatMap(({ run, worker }) => {
    const row = rows.get(run.uuid);
    return row === undefined ? [] : [{ run, worker, row }];
  });
  if (moved.length === 0) return new Set();
  await insertRows(
    unit,
    'assignment',
    assignmentColumns,
    moved.map(({ worker, row }) => ({
      run_uuid: row.uuid,
      user_id: worker.userId,
      worker_id: worker.workerId,
      epoch: row.epoch,
      assigned_at: now,
      started_at: null,
      reported_at: null,
      omissions: 0,
    })),
  );
  const inputs = await dependenciesOf(unit, entries, [...rows.keys()]);
  await noteActions(
    unit,
    moved.map(({ run: { metadata, request }, worker, row }) => ({
      run: row,
      worker,
      given: { metadata, request, inputs: inputs.get(row.uuid) ?? [] },
    })),
  );
  const messages: NewMessage[] = [];
  for (const { run, worker, row } of moved) {
    const message = runMessage(row, run.metadata, run.request, inputs.get(row.uuid) ?? []);
    if (worker.sharesFilesystem) {
      // The message follows when everything is in place; preempted runs go on where they were.
      const resumes = run.metadata['on_preemptible_worker'] === true;
      await noteSharedRun(unit, { uuid: row.uuid, epoch: row.epoch, message, resumes });
    } else {
      const { userId, workerId } = worker;
      messages.push({ userId, workerId, runUuid: row.uuid, epoch: row.epoch, message });
    }
  }
  await queueMessages(unit, now, messages);
  return new Set(rows.keys());
}

/** What the run shows until the worker has begun. Whose worker it is would tell whose an anonymous run is. */
function offered(run: { isAnonymous: boolean }, worker: WorkerKey): string {
  return run.isAnonymous
    ? 'Offered to a worker that has not begun yet.'
    : `Offered to the worker ${worker.workerId}, which has not begun yet.`;
}

/** What runs depend on, by run, in the order of their dependencies. */
async function dependenciesOf(
  unit: UnitOfWork,
  entries: DependencyEntries,
  uuids: readonly string[],
): Promise<Map<string, (MessageDependency & KnownInput)[]>> {
  const given = givenRows(
    unit.dialect,
    { run_uuid: 'text' },
    uuids.map((uuid) => ({ run_uuid: uuid })),
  );
  const { rows } =
    await sql<DependencyRow>`select dependency.child_uuid, dependency.child_path, dependency.parent_uuid,
      dependency.parent_path, parent.name as parent_name, parent.root_entry, parent.contents_digest
    from ${given} as given join dependency on dependency.child_uuid = given.run_uuid
      left join bundle as parent on parent.uuid = dependency.parent_uuid
    order by dependency.id`.execute(unit.queries);
  const byRun = new Map<string, (MessageDependency & KnownInput)[]>();
  for (const row of rows) {
    const parent = {
      uuid: row.parent_uuid,
      root_entry: row.root_entry ?? null,
      contents_digest: row.contents_digest ?? null,
    };
    const known = byRun.get(row.child_uuid) ?? [];
    byRun.set(row.child_uuid, known);
    known.push({
      child_path: row.child_path,
      parent_uuid: row.parent_uuid,
      parent_path: row.parent_path,
      parent_name: row.parent_name,
      entry: entries.known(parent, row.parent_path),
      input: entries.knownInput(parent, row.parent_path),
    });
  }
  return byRun;
}

export async function messageDependencies(
  unit: UnitOfWork,
  entries: DependencyEntries,
  uuid: string,
): Promise<(MessageDependency & KnownInput)[]> {
  return (await dependenciesOf(unit, entries, [uuid])).get(uuid) ?? [];
}

interface DependencyRow {
  readonly child_uuid: string;
  readonly child_path: string;
  readonly parent_uuid: string;
  readonly parent_path: string;
  readonly parent_name: string | null;
  readonly root_entry: string | null;
  readonly contents_digest: string | null;
}
