/* The one function through which a bundle's state changes (design: lifecycle). */
import { mayMove, type BundleState, type BundleType } from '@sheaf/domain';
import type { MetadataValue } from '@sheaf/wire';
import { sql, type Selectable, type UpdateObject } from 'kysely';
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
