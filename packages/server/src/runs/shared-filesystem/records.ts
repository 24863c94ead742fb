/* What the database knows about runs in shared directories: one record for each, of its newest attempt there. */
import { isFinal, type BundleState } from '@sheaf/domain';
import { runMessage, type RunMessage } from '@sheaf/wire';
import { sql, type Selectable } from 'kysely';
import { z } from 'zod';
import type { AnyQueries } from '../../accounts/users.ts';
import { givenTexts } from '../../database/given-rows.ts';
import type { SharedRunTable } from '../../database/schema.ts';
import type { UnitOfWork } from '../../database/unit-of-work.ts';
import type { Attempt, Needed } from './directories.ts';

export type SharedRunRow = Selectable<SharedRunTable>;

/** A run was assigned to a worker on the shared filesystem: its message follows when everything is in place. */
export async function noteSharedRun(
  unit: UnitOfWork,
  run: { uuid: string; epoch: number; message: RunMessage; resumes: boolean },
): Promise<void> {
  const values = {
    run_uuid: run.uuid,
    epoch: run.epoch,
    message: unit.dialect.json_(run.message),
    resumes: run.resumes ? 1 : 0,
    prepared_at: null,
    contents: unit.dialect.json_([]),
  };
  await unit.queries
    .insertInto('shared_run')
    .values(values)
    .onConflict((conflict) => conflict.column('run_uuid').doUpdateSet(values))
    .execute();
  unit.announce({ type: 'shared-run.changed', runUuid: run.uuid });
}

export async function findSharedRun(queries: AnyQueries, uuid: string): Promise<SharedRunRow | undefined> {
  return await queries.selectFrom('shared_run').selectAll().where('run_uuid', '=', uuid).executeTakeFirst();
}

/** Those of the runs whose results lie in a shared directory and are still to be stored. */
export async function endingInSharedDirectories(
  unit: UnitOfWork,
  runs: readonly { readonly uuid: string; readonly epoch: number; readonly root_entry: string | null }[],
): Promise<ReadonlySet<string>> {
  const open = runs.filter((run) => run.root_entry === null);
  if (open.length === 0) return new Set();
  const wanted = givenTexts(
    unit.dialect,
    open.map(({ uuid }) => uuid),
  );
  const { rows } = await sql<SharedRunRow>`select shared_run.* from ${wanted} as wanted
    join shared_run on shared_run.run_uuid = wanted.given`.execute(unit.queries);
  const epochs = new Map(open.map(({ uuid, epoch }) => [uuid, epoch]));
  const ending = rows.filter((row) => epochs.get(row.run_uuid) === row.epoch && row.prepared_at !== null);
  return new Set(ending.map((row) => row.run_uuid));
}

export function messageOf(row: SharedRunRow): RunMessage {
  return runMessage.parse(JSON.parse(row.message));
}

/** Runs for which there is something to do: to be prepared, or to be stored. */
export async function unsettledRuns(queries: AnyQueries): Promise<string[]> {
  const rows = await queries
    .selectFrom('shared_run')
    .innerJoin('bundle', 'bundle.uuid', 'shared_run.run_uuid')
    .select('shared_run.run_uuid')
    .whereRef('bundle.epoch', '=', 'shared_run.epoch')
    .where((where) =>
      where.or([
        where.and([where('bundle.state', '=', 'starting'), where('shared_run.prepared_at', 'is', null)]),
        where('bundle.state', '=', 'finalizing'),
      ]),
    )
    .execute();
  return rows.map((row) => row.run_uuid);
}

/** What runs still need of the shared directory. Drops the records of runs that need nothing any more. */
export async function neededThere(unit: UnitOfWork): Promise<Needed> {
  const rows = await unit.queries
    .selectFrom('shared_run')
    .leftJoin('bundle', 'bundle.uuid', 'shared_run.run_uuid')
    .selectAll('shared_run')
    .select(['bundle.state', 'bundle.epoch as current', 'bundle.metadata'])
    .execute();
  const attempts: Attempt[] = [];
  const goingOn = new Set<string>();
  const contents = new Set<string>();
  for (const row of rows) {
    const state = row.state as BundleState | null;
    const resumable = state === 'staged' && isPreemptible(row.metadata);
    const held = state !== null && !isFinal(state) && state !== 'staged' && row.current === row.epoch;
    if (!resumable && !held) {
      await dropSharedRun(unit, { uuid: row.run_uuid, epoch: row.epoch });
      continue;
    }
    attempts.push({ uuid: row.run_uuid, epoch: row.epoch });
    if (resumable || (row.prepared_at === null && row.resumes === 1)) goingOn.add(row.run_uuid);
    for (const name of held ? namesOf(row) : []) contents.add(name);
  }
  return { attempts, resumable: goingOn, contents };
}

export async function dropSharedRun(unit: UnitOfWork, { uuid, epoch }: Attempt): Promise<void> {
  await unit.queries
    .deleteFrom('shared_run')
    .where('run_uuid', '=', uuid)
    .where('epoch', '=', epoch)
    .execute();
}

const preemptible = z.looseObject({ on_preemptible_worker: z.boolean().optional() });

function isPreemptible(metadata: string | null): boolean {
  return metadata !== null && preemptible.parse(JSON.parse(metadata)).on_preemptible_worker === true;
}

function namesOf(row: SharedRunRow): string[] {
  return z.array(z.string()).parse(JSON.parse(row.contents));
}
