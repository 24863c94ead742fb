/* Creating bundles: all of a request or none (rest-api.md §13, bundles.md §5.1). */
import {
  admissionProblem,
  asciiProblem,
  initialState,
  isAscii,
  isUuid,
  metadataKey,
  validateDependencies,
  validateMetadata,
  type BundleType,
  type MetadataValue,
} from '@sheaf/domain';
import { SheafError, type bundleCreateRequest } from '@sheaf/wire';
import type { z } from 'zod';
import { readQuota } from '../accounts/quota.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { UserViewer } from '../http/viewer.ts';
import type { Services } from '../services.ts';
import { refuseFrozenWorksheet, requireWorksheet, type WorksheetRow } from '../worksheets/access.ts';
import { announceCreated } from './created.ts';
import { addLocation } from './locations.ts';
import { placeBundles, type Placement } from './placement.ts';
import { isBundleType } from './row.ts';
import type { BundleRow } from './transition.ts';

export type BundleInput = z.output<typeof bundleCreateRequest>['data'][number];

export interface CreateRequest {
  inputs: readonly BundleInput[];
  /** Null: on no worksheet, inheriting nothing. */
  worksheetUuid: string | null;
  placement: Placement;
  waitForUpload: boolean;
  /** A store on which a location is recorded at once. */
  storeUuid: string | undefined;
}

/** Both engines bound the parameters of one statement, and a run may have any number of inputs. */
const rowsAtOnce = 1_000;

/** A bundle of which everything is known to be in order. */
interface CheckedBundle {
  uuid: string;
  type: BundleType;
  command: string | null;
  metadata: Record<string, MetadataValue>;
  dependencies: NonNullable<BundleInput['attributes']['dependencies']>;
}

/**
 * Creates the bundles in request order.
 * @throws SheafError in the order of rest-api.md §13: worksheet, quota, then each bundle.
 */
export async function createBundles(
  services: Services,
  viewer: UserViewer,
  request: CreateRequest,
): Promise<BundleRow[]> {
  return await services.unitOfWork(async (unit) => {
    const worksheet = await usableWorksheet(unit, viewer, request.worksheetUuid);
    await refuseOverQuota(unit, viewer.id);
    const checked = request.inputs.map((input) => checkBundle(input, request.waitForUpload, services.ids));
    await refuseTakenUuids(unit, checked);
    const rows: BundleRow[] = [];
    for (const bundle of checked)
      rows.push(await insertBundle(unit, viewer, request, bundle, worksheet, services));
    const uuids = rows.map((row) => row.uuid);
    if (worksheet !== undefined) {
      await inheritPermissions(unit, worksheet.uuid, uuids);
      await placeBundles(unit, viewer, worksheet.uuid, uuids, request.placement, services.clock.now());
    }
    announceCreated(unit, rows);
    return rows;
  });
}

async function usableWorksheet(
  unit: UnitOfWork,
  viewer: UserViewer,
  uuid: string | null,
): Promise<WorksheetRow | undefined> {
  if (uuid === null) return undefined;
  const worksheet = await requireWorksheet(unit.queries, viewer, uuid, 'all');
  refuseFrozenWorksheet(worksheet);
  return worksheet;
}

async function refuseOverQuota(unit: UnitOfWork, userId: string): Promise<void> {
  const quota = await readQuota(unit.queries, userId);
  const problem = quota === undefined ? undefined : admissionProblem(quota);
  if (problem !== undefined) throw new SheafError('quota-exceeded', problem);
}

function checkBundle(input: BundleInput, waitForUpload: boolean, ids: Services['ids']): CheckedBundle {
  const { bundle_type: type, command, dependencies } = input.attributes;
  if (!isBundleType(type)) throw new SheafError('invalid-request', `Invalid bundle type: ${type}`);
  const uuid = input.id ?? input.attributes.uuid ?? ids.uuid();
  if (!isUuid(uuid)) {
    throw new SheafError('invalid-request', `Invalid uuid: ${uuid}, must match ^0x[0-9a-f]{32}$`);
  }
  if (typeof command === 'string' && !isAscii(command)) throw new SheafError('invalid-request', asciiProblem);
  const metadata = acceptedMetadata(type, input.attributes.metadata, waitForUpload);
  const problem = validateMetadata(type, metadata) ?? validateDependencies(type, dependencies ?? []);
  if (problem !== undefined) throw new SheafError('invalid-request', problem);
  return { uuid, type, command: command ?? null, metadata, dependencies: dependencies ?? [] };
}

/** What nobody can know but this server: not even copies from other servers bring it along. */
const ownKeys = new Set(['created', 'data_size', 'action_key']);

/** What the system writes itself is taken from clients only when they copy a bundle from another server (rest-api.md §10.2). */
function acceptedMetadata(
  type: BundleType,
  sent: Record<string, MetadataValue>,
  isCopy: boolean,
): Record<string, MetadataValue> {
  const accepted = Object.entries(sent).filter(([key]) => {
    if (ownKeys.has(key)) return false;
    return isCopy || metadataKey(type, key)?.generated !== true;
  });
  return Object.fromEntries(accepted);
}

async function refuseTakenUuids(unit: UnitOfWork, bundles: readonly CheckedBundle[]): Promise<void> {
  const uuids = bundles.map((bundle) => bundle.uuid);
  const repeated = uuids.find((uuid, index) => uuids.indexOf(uuid) !== index);
  const taken =
    repeated ??
    (await unit.queries.selectFrom('bundle').select('uuid').where('uuid', 'in', uuids).executeTakeFirst())
      ?.uuid;
  if (taken !== undefined) throw new SheafError('conflict', `A bundle with uuid ${taken} already exists.`);
}

async function insertBundle(
  unit: UnitOfWork,
  viewer: UserViewer,
  request: CreateRequest,
  bundle: CheckedBundle,
  worksheet: WorksheetRow | undefined,
  { clock }: Services,
): Promise<BundleRow> {
  const now = clock.now();
  const { uuid, type, metadata } = bundle;
  const linkUrl = metadata['link_url'];
  const state = initialState(type, {
    linkUrl: typeof linkUrl === 'string' ? linkUrl : null,
    waitForUpload: request.waitForUpload,
  });
  const set = Object.entries({ ...metadata, created: Math.floor(now / 1000) }).filter(
    ([, value]) => value !== null,
  );
  const name = metadata['name'];
  const row = await unit.queries
    .insertInto('bundle')
    .values({
      uuid,
      bundle_type: type,
      owner_id: viewer.id,
      command: bundle.command,
      state,
      metadata: unit.dialect.json_(Object.fromEntries(set)),
      name: typeof name === 'string' ? name : '',
      created_at: now,
      data_size: 0,
      frozen_at: null,
      is_anonymous: worksheet?.is_anonymous ?? 0,
      root_entry: null,
      contents_digest: null,
      version: 1,
      changed_at: now,
      epoch: 0,
      kill_requested_at: null,
      upload_failure: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  for (let start = 0; start < bundle.dependencies.length; start += rowsAtOnce) {
    const rows = bundle.dependencies.slice(start, start + rowsAtOnce);
    await unit.queries
      .insertInto('dependency')
      .values(rows.map((dependency) => ({ child_uuid: uuid, ...dependency })))
      .execute();
  }
  if (request.storeUuid !== undefined) await addLocation(unit, { bundle: uuid, store: request.storeUuid });
  return row;
}

/** The worksheet's permissions of this moment; later changes do not follow (rest-api.md §8.3). */
async function inheritPermissions(unit: UnitOfWork, worksheetUuid: string, uuids: string[]): Promise<void> {
  const grants = await unit.queries
    .selectFrom('worksheet_permission')
    .select(['group_uuid', 'permission'])
    .where('worksheet_uuid', '=', worksheetUuid)
    .execute();
  if (grants.length === 0) return;
  for (const bundle_uuid of uuids) {
    await unit.queries
      .insertInto('bundle_permission')
      .values(grants.map((grant) => ({ ...grant, bundle_uuid })))
      .execute();
  }
}
