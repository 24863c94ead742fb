/*
 * What a run was given to execute, written down with its assignment, and what that was by digest, with its end: the action key by
 * which the same is recognised (docs/decisions/0721-action-key.md).
 */
import { write } from '../database/unanswered.ts';
import {
  actionKey,
  imageDigest as digestOfImage,
  inputContents,
  type Action,
  type ActionEnvironment,
  type Metadata,
  type ResourceRequest,
} from '@sheaf/domain';
import type { Entry } from '@sheaf/trees';
import { sql, type Selectable } from 'kysely';
import { createHash } from 'node:crypto';
import type { BundleRow } from '../bundles/transition.ts';
import { givenRows, givenTexts, insertRows } from '../database/given-rows.ts';
import type { RunActionTable } from '../database/schema.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { WorkerKey } from '../workers/worker-key.ts';
import { metadataOf, textOf } from './metadata.ts';

export interface KnownInput {
  readonly child_path: string;
  readonly parent_uuid: string;
  readonly parent_path: string;
  /** Undefined where nobody can say what it is by digest. */
  readonly input: Entry | undefined;
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** What is asked for, with the image as it is named. */
export function requestedAction(
  command: string,
  metadata: Metadata,
  request: Pick<ResourceRequest, 'image' | 'imageRequested' | 'network' | 'gpus'>,
  inputs: Action['inputs'],
): Action {
  const patterns = metadata['exclude_patterns'];
  return {
    environment: { kind: 'requested', image: request.image, named: request.imageRequested },
    command,
    network: request.network,
    gpus: request.gpus > 0,
    excludePatterns: Array.isArray(patterns) ? patterns : [],
    inputs,
  };
}

export interface GivenAction {
  readonly run: BundleRow;
  readonly worker: WorkerKey;
  readonly given: {
    readonly metadata: Metadata;
    readonly request: ResourceRequest;
    readonly inputs: readonly KnownInput[];
  };
}

/** Replaces what was noted for earlier attempts. Nothing is noted of a run one of whose inputs has no digest. */
export async function noteActions(unit: UnitOfWork, actions: readonly GivenAction[]): Promise<void> {
  const again = actions.filter(({ run }) => run.epoch > 1).map(({ run }) => run.uuid);
  for (const uuid of again)
    await unit.queries.deleteFrom('run_action').where('run_uuid', '=', uuid).execute();
  await insertRows(unit, 'run_action', actionColumns, actions.flatMap(actionRow));
}

const actionColumns = {
  run_uuid: 'text',
  epoch: 'integer',
  worker_user_id: 'text',
  worker_id: 'text',
  action: 'text',
  image_reference: 'text',
  image_digest: 'text',
  action_key: 'text',
  settled_at: 'integer',
} as const;

function actionRow({ run, worker, given }: GivenAction) {
  const inputs: { key: string; contents: string }[] = [];
  for (const { child_path: key, input } of given.inputs) {
    if (input === undefined) return [];
    inputs.push({ key, contents: inputContents(input) });
  }
  const action = requestedAction(run.command ?? '', given.metadata, given.request, inputs);
  return [
    {
      run_uuid: run.uuid,
      epoch: run.epoch,
      worker_user_id: worker.userId,
      worker_id: worker.workerId,
      action: JSON.stringify(action),
      image_reference: given.request.image,
      image_digest: null,
      action_key: null,
      settled_at: null,
    },
  ];
}

export interface SettledAction {
  readonly imageDigest: string | null;
  /** Only of a run that ended well. */
  readonly key: string | null;
}

/** With which image runs have ended, and their action keys, by uuid. Runs are missing of which nobody knows what they were given. */
export async function settledActions(
  unit: UnitOfWork,
  ended: readonly { readonly run: BundleRow; readonly succeeded: boolean }[],
): Promise<ReadonlyMap<string, SettledAction>> {
  const noted = await notedActions(
    unit,
    ended.map(({ run }) => run.uuid),
  );
  const settled = new Map<string, SettledAction>();
  for (const { run, succeeded } of ended) {
    const row = noted.get(run.uuid);
    if (row === undefined || row.epoch !== run.epoch) continue;
    const metadata = metadataOf(run);
    const environment = environmentOf(row, textOf(metadata['docker_image']), textOf(metadata['runtime']));
    const key =
      succeeded && environment !== undefined && wasLeftAlone(run, metadata)
        ? actionKey({ ...(JSON.parse(row.action) as Action), environment }, sha256)
        : null;
    settled.set(run.uuid, {
      imageDigest: environment?.kind === 'image' ? environment.digest : null,
      key,
    });
  }
  return settled;
}

interface NotedAction extends Selectable<RunActionTable> {
  /** 0 where there is no such worker any more. */
  readonly known_worker: number;
  readonly hostname: string | null;
}

async function notedActions(unit: UnitOfWork, uuids: readonly string[]): Promise<Map<string, NotedAction>> {
  const { rows } = await sql<NotedAction>`select run_action.*, worker.hostname,
      case when worker.worker_id is null then 0 else 1 end as known_worker
    from ${givenTexts(unit.dialect, uuids)} as wanted join run_action on run_action.run_uuid = wanted.given
      left join worker on worker.user_id = run_action.worker_user_id and worker.worker_id = run_action.worker_id`.execute(
    unit.queries,
  );
  return new Map(rows.map((row) => [row.run_uuid, row]));
}

/** Call it in the transaction that makes the runs final. */
export async function keepActions(
  unit: UnitOfWork,
  actions: ReadonlyMap<string, SettledAction>,
  now: number,
): Promise<void> {
  if (actions.size === 0) return;
  const given = givenRows(
    unit.dialect,
    { ended: 'text', with_digest: 'text', with_key: 'text' },
    [...actions].map(([ended, { imageDigest, key }]) => ({ ended, with_digest: imageDigest, with_key: key })),
  );
  await write(
    unit,
    sql`update run_action set image_digest = with_digest, action_key = with_key, settled_at = ${now}
    from ${given} as given where run_uuid = ended`,
  );
}

function environmentOf(
  row: NotedAction,
  image: string | undefined,
  runtime: string | undefined,
): ActionEnvironment | undefined {
  if (image !== undefined) {
    const digest = digestOfImage(image);
    return digest === undefined ? undefined : { kind: 'image', digest };
  }
  if (runtime === undefined || row.known_worker === 0) return undefined;
  return hostEnvironment({
    user_id: row.worker_user_id,
    worker_id: row.worker_id,
    hostname: row.hostname,
  });
}

/** The programs of one machine, as far as its worker can be told from others. */
export function hostEnvironment(worker: {
  user_id: string;
  worker_id: string;
  hostname: string | null;
}): ActionEnvironment {
  return { kind: 'host', host: JSON.stringify([worker.user_id, worker.worker_id, worker.hostname ?? '']) };
}

/** What somebody wrote into a run, or an interrupted attempt left in its directory, is no part of its action. */
function wasLeftAlone(run: BundleRow, metadata: Metadata): boolean {
  const { actions } = metadata;
  const resumed = run.epoch > 1 && metadata['on_preemptible_worker'] === true;
  return !resumed && (!Array.isArray(actions) || actions.length === 0);
}
