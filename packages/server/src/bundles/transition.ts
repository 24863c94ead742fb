/* The one function through which a bundle's state changes (design: lifecycle). */
import { mayMove, type BundleState, type BundleType } from '@sheaf/domain';
import type { MetadataValue } from '@sheaf/wire';
import { sql, type Selectable, type UpdateObject } from 'kysely';
import { changeRows, insertRows } from '../database/given-rows.ts';
import type { BundleTable, Tables } from '../database/schema.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';

export type BundleRow = Selectable<BundleTable>;

export interface BundleChanges {
  /** Merged into the metadata; null removes the key. `name` and `data_size` are kept in their own columns as well. */
  metadata?: Record<string, MetadataValue>;
  /** JSON entry of the contents, or null for none. */
  rootEntry?: { json: string; digest: string | null } | null;
  killRequestedAt?: number | null;
  uploadFailure?: string | null;
  /** Raises the attempt counter; the new value is in the returned row. */
  nextEpoch?: boolean;
  frozenAt?: number | null;
  isAnonymous?: boolean;
  ownerId?: string;
}

export interface TransitionRequest {
  uuid: string;
  type: BundleType;
  expected: readonly BundleState[];
  next: BundleState;
  changes?: BundleChanges;
  /** Only while this is the newest attempt. */
  epoch?: number;
  now: number;
  /** Recorded in the bundle's history, where a person should see it. */
  event?: { kind: string; details: Record<string, unknown> };
}

/**
 * Moves a bundle from one of the expected states to the next, with everything that must happen with it in the caller's
 * transaction. One conditional UPDATE: undefined means somebody else was first, and the caller must look again.
 * Staying in a state (`next` among `expected`) is allowed and only applies the changes.
 */
export async function transition(
  unit: UnitOfWork,
  request: TransitionRequest,
): Promise<BundleRow | undefined> {
  const { uuid, expected, next, now } = request;
  const legal = expected.filter((from) => from === next || mayMove(request.type, from, next));
  if (legal.length === 0)
    throw new Error(`No ${request.type} moves from ${expected.join(' or ')} to ${next}`);
  let update = unit.queries
    .updateTable('bundle')
    .set({ ...columns(unit, request.changes ?? {}, now), state: next })
    .where('uuid', '=', uuid)
    .where('state', 'in', legal);
  if (request.epoch !== undefined) update = update.where('epoch', '=', request.epoch);
  const row = await update.returningAll().executeTakeFirst();
  if (row === undefined) return undefined;
  if (request.event !== undefined) {
    await unit.queries
      .insertInto('bundle_event')
      .values({
        bundle_uuid: uuid,
        at: now,
        kind: request.event.kind,
        details: unit.dialect.json_(request.event.details),
      })
      .execute();
  }
  unit.announce({ type: 'bundle.changed', uuid, state: row.state, version: row.version });
  return row;
}

export interface Move {
  uuid: string;
  from: BundleState;
  next: BundleState;
  /** Only while this is the newest attempt. */
  epoch?: number;
  /** Merged as in `BundleChanges`. */
  metadata?: Record<string, MetadataValue>;
  /** Raises the attempt counter. */
  nextEpoch?: boolean;
  /** Forgets that somebody asked for the end. */
  killForgotten?: boolean;
  event?: TransitionRequest['event'];
}

const moveColumns = {
  to_uuid: 'text',
  to_from: 'text',
  to_next: 'text',
  to_epoch: 'integer',
  to_patch: 'json',
  to_name: 'text',
  to_size: 'integer',
  to_attempts: 'integer',
  to_forget: 'integer',
} as const;

const bundleColumns = Object.keys({
  id: true,
  uuid: true,
  bundle_type: true,
  owner_id: true,
  command: true,
  state: true,
  metadata: true,
  name: true,
  created_at: true,
  data_size: true,
  frozen_at: true,
  is_anonymous: true,
  root_entry: true,
  contents_digest: true,
  version: true,
  changed_at: true,
  epoch: true,
  kill_requested_at: true,
  upload_failure: true,
  is_final: true,
} satisfies Record<keyof BundleTable, true>);

/**
 * The same for many bundles of one type with one statement: each moves by itself, from its state to its next. Those that somebody
 * else has moved meanwhile are missing in the answer, and the caller must look again. Rows are locked in the order of their ids.
 * @param moves each bundle once
 * @throws Error on a move that the type does not have: then nothing has moved
 */
export async function transitionAll(
  unit: UnitOfWork,
  type: BundleType,
  moves: readonly Move[],
  now: number,
): Promise<Map<string, BundleRow>> {
  if (moves.length === 0) return new Map();
  for (const { from, next } of moves) {
    if (from !== next && !mayMove(type, from, next))
      throw new Error(`No ${type} moves from ${from} to ${next}`);
  }
  // Nearly never: a column that is named here has its indexes written again, changed or not.
  const isRenaming = moves.some(({ metadata }) => typeof metadata?.['name'] === 'string');
  const rows = await changeRows<ReturnType<typeof moveRow>, BundleRow>(
    unit,
    'bundle',
    moveColumns,
    moves.map(moveRow),
    {
      key: { column: 'uuid', given: 'to_uuid' },
      set: (given) => sql`version = bundle.version + 1, changed_at = ${now}, state = ${given('to_next')},
        metadata = ${unit.dialect.mergeJsonFrom('bundle.metadata', given('to_patch'))},
        ${isRenaming ? sql`name = coalesce(${given('to_name')}, bundle.name),` : sql``}
        data_size = coalesce(${given('to_size')}, bundle.data_size),
        epoch = bundle.epoch + ${given('to_attempts')},
        kill_requested_at = case when ${given('to_forget')} = 1 then null else bundle.kill_requested_at end`,
      where: (given) => sql`bundle.state = ${given('to_from')} and bundle.bundle_type = ${type}
        and bundle.epoch = coalesce(${given('to_epoch')}, bundle.epoch)`,
      returning: sql.join(bundleColumns.map((column) => sql.ref(column))),
    },
  );
  const moved = new Map(rows.map((row) => [row.uuid, row]));
  await insertRows(
    unit,
    'bundle_event',
    eventColumns,
    moves.flatMap((move) => eventRow(move, moved, now)),
  );
  for (const { uuid, state, version } of moved.values())
    unit.announce({ type: 'bundle.changed', uuid, state, version });
  return moved;
}

function moveRow({ uuid, from, next, epoch, metadata = {}, nextEpoch, killForgotten }: Move) {
  const { name, data_size: size } = metadata;
  return {
    to_uuid: uuid,
    to_from: from,
    to_next: next,
    to_epoch: epoch ?? null,
    to_patch: metadata,
    to_name: typeof name === 'string' ? name : null,
    to_size: size === null ? 0 : typeof size === 'number' ? size : null,
    to_attempts: nextEpoch === true ? 1 : 0,
    to_forget: killForgotten === true ? 1 : 0,
  };
}

const eventColumns = { bundle_uuid: 'text', at: 'integer', kind: 'text', details: 'json' } as const;

function eventRow({ uuid, event }: Move, moved: ReadonlyMap<string, BundleRow>, now: number) {
  if (event === undefined || !moved.has(uuid)) return [];
  return [{ bundle_uuid: uuid, at: now, kind: event.kind, details: event.details }];
}

/** Changes a bundle without touching its state. Undefined: there is no such bundle. */
export async function updateBundle(
  unit: UnitOfWork,
  uuid: string,
  changes: BundleChanges,
  now: number,
): Promise<BundleRow | undefined> {
  const row = await unit.queries
    .updateTable('bundle')
    .set(columns(unit, changes, now))
    .where('uuid', '=', uuid)
    .returningAll()
    .executeTakeFirst();
  if (row !== undefined)
    unit.announce({ type: 'bundle.changed', uuid, state: row.state, version: row.version });
  return row;
}

function columns(unit: UnitOfWork, changes: BundleChanges, now: number): UpdateObject<Tables, 'bundle'> {
  const set: UpdateObject<Tables, 'bundle'> = { version: sql<number>`version + 1`, changed_at: now };
  const { metadata } = changes;
  if (metadata !== undefined) {
    set.metadata = unit.dialect.mergeJson('metadata', metadata);
    if (typeof metadata['name'] === 'string') set.name = metadata['name'];
    if (metadata['data_size'] === null) set.data_size = 0;
    if (typeof metadata['data_size'] === 'number') set.data_size = metadata['data_size'];
  }
  if (changes.rootEntry !== undefined) {
    set.root_entry = changes.rootEntry === null ? null : sql<string>`${changes.rootEntry.json}`;
    set.contents_digest = changes.rootEntry?.digest ?? null;
  }
  if (changes.killRequestedAt !== undefined) set.kill_requested_at = changes.killRequestedAt;
  if (changes.uploadFailure !== undefined) set.upload_failure = changes.uploadFailure;
  if (changes.nextEpoch === true) set.epoch = sql<number>`epoch + 1`;
  if (changes.frozenAt !== undefined) set.frozen_at = changes.frozenAt;
  if (changes.isAnonymous !== undefined) set.is_anonymous = changes.isAnonymous ? 1 : 0;
  if (changes.ownerId !== undefined) set.owner_id = changes.ownerId;
  return set;
}
