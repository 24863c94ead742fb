/*
 * What a run was given to execute, written down with its assignment, and what that was by digest, with its end: the action key by
 * which the same is recognised (docs/decisions/0721-action-key.md).
 */
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
import type { Selectable } from 'kysely';
import { createHash } from 'node:crypto';
import type { BundleRow } from '../bundles/transition.ts';
import { insertRows } from '../database/given-rows.ts';
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

/** With which image a run has ended, and its action key. Undefined: nothing is known about what it was given. */
export async function settledAction(
  unit: UnitOfWork,
  run: BundleRow,
  succeeded: boolean,
): Promise<SettledAction | undefined> {
  const row = await unit.queries
    .selectFrom('run_action')
    .selectAll()
    .where('run_uuid', '=', run.uuid)
    .where('epoch', '=', run.epoch)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const metadata = metadataOf(run);
  const image = textOf(metadata['docker_image']);
  const environment = await environmentOf(unit, row, image, textOf(metadata['runtime']));
  const key =
    succeeded && environment !== undefined && wasLeftAlone(run, metadata)
      ? actionKey({ ...(JSON.parse(row.action) as Action), environment }, sha256)
      : null;
  return { imageDigest: environment?.kind === 'image' ? environment.digest : null, key };
}

/** Call it in the transaction that makes the run final. */
export async function keepAction(
  unit: UnitOfWork,
  runUuid: string,
  { imageDigest, key }: SettledAction,
  now: number,
): Promise<void> {
  await unit.queries
    .updateTable('run_action')
    .set({ image_digest: imageDigest, action_key: key, settled_at: now })
    .where('run_uuid', '=', runUuid)
    .execute();
}

async function environmentOf(
  unit: UnitOfWork,
  row: Selectable<RunActionTable>,
  image: string | undefined,
  runtime: string | undefined,
): Promise<ActionEnvironment | undefined> {
  if (image !== undefined) {
    const digest = digestOfImage(image);
    return digest === undefined ? undefined : { kind: 'image', digest };
  }
  if (runtime === undefined) return undefined;
  const worker = await unit.queries
    .selectFrom('worker')
    .select(['user_id', 'worker_id', 'hostname'])
    .where('user_id', '=', row.worker_user_id)
    .where('worker_id', '=', row.worker_id)
    .executeTakeFirst();
  return worker === undefined ? undefined : hostEnvironment(worker);
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
