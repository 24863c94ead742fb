/* Changing and deleting worksheets (worksheets.md §9.5, §9.6). All of a request or nothing. */
import { isAscii } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import type { UpdateObject } from 'kysely';
import { z } from 'zod';
import { findUser } from '../accounts/users.ts';
import type { Tables } from '../database/schema.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { parseIsoInstant } from '../http/instant.ts';
import type { UserViewer } from '../http/viewer.ts';
import { lockNames } from '../database/name-lock.ts';
import { refuseFrozenWorksheet, requireWorksheet, type WorksheetRow } from './access.ts';
import { refuseWorksheetName } from './create.ts';
import { touchWorksheet } from './items.ts';

export const worksheetPatch = z.object({
  data: z
    .array(
      z.object({
        id: z.string(),
        attributes: z
          .object({
            name: z.string().max(255).optional(),
            title: z.string().max(255).optional(),
            tags: z.array(z.string().max(63)).optional(),
            frozen: z.union([z.string(), z.boolean(), z.null()]).optional(),
            is_anonymous: z.boolean().optional(),
          })
          .default({}),
        relationships: z
          .object({ owner: z.object({ data: z.object({ id: z.string() }).nullable() }).optional() })
          .optional(),
      }),
    )
    .min(1),
});

type Patch = z.output<typeof worksheetPatch>['data'][number];

/** @throws SheafError `not-found`, `permission-denied`, `frozen`, `invalid-request` */
export async function updateWorksheet(
  unit: UnitOfWork,
  viewer: UserViewer,
  patch: Patch,
  now: number,
): Promise<WorksheetRow> {
  const worksheet = await requireWorksheet(unit.queries, viewer, patch.id, 'all');
  const { name, title, tags, frozen, is_anonymous: isAnonymous } = patch.attributes;
  // Only a request that unfreezes changes a frozen worksheet.
  if (frozen === undefined || isTruthy(frozen)) refuseFrozenWorksheet(worksheet);
  const changes: UpdateObject<Tables, 'worksheet'> = { changed_at: now };
  if (name !== undefined && name !== worksheet.name) {
    await lockNames(unit);
    await refuseWorksheetName(unit.queries, viewer, name, worksheet.uuid);
    changes.name = name;
  }
  if (title !== undefined) changes.title = title;
  if (tags !== undefined) changes.tags = unit.dialect.json_(acceptedTags(tags));
  if (frozen !== undefined) changes.frozen_at = frozenAt(frozen, now);
  if (isAnonymous !== undefined) changes.is_anonymous = isAnonymous ? 1 : 0;
  const ownerId = patch.relationships?.owner?.data?.id;
  if (ownerId !== undefined) {
    if ((await findUser(unit.queries, ownerId)) === undefined) {
      throw new SheafError('not-found', `User ${ownerId} not found`);
    }
    changes.owner_id = ownerId;
  }
  return await unit.queries
    .updateTable('worksheet')
    .set(changes)
    .where('uuid', '=', worksheet.uuid)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** @throws SheafError `not-found`, `permission-denied`; `action-refused` without `force` where it is frozen or not empty */
export async function deleteWorksheet(
  unit: UnitOfWork,
  viewer: UserViewer,
  uuid: string,
  force: boolean,
  now: number,
): Promise<void> {
  const worksheet = await requireWorksheet(unit.queries, viewer, uuid, 'all');
  if (!force) await refuseDeletion(unit, worksheet);
  const references = await unit.queries
    .selectFrom('worksheet_item')
    .select('worksheet_uuid')
    .distinct()
    .where('subworksheet_uuid', '=', uuid)
    .execute();
  for (const { worksheet_uuid } of references) await touchWorksheet(unit, worksheet_uuid, now);
  await unit.queries.deleteFrom('worksheet_item').where('subworksheet_uuid', '=', uuid).execute();
  // Its items and permissions go with it; bundles stay.
  await unit.queries.deleteFrom('worksheet').where('uuid', '=', uuid).execute();
}

async function refuseDeletion(unit: UnitOfWork, worksheet: WorksheetRow): Promise<void> {
  const refuse = (why: string) => {
    throw new SheafError(
      'action-refused',
      `Can't delete worksheet ${worksheet.uuid} because ${why} (--force to override).`,
    );
  };
  if (worksheet.frozen_at !== null) refuse('it is frozen');
  const item = await unit.queries
    .selectFrom('worksheet_item')
    .select('id')
    .where('worksheet_uuid', '=', worksheet.uuid)
    .executeTakeFirst();
  if (item !== undefined) refuse('it is not empty');
}

function isTruthy(value: string | boolean | null): boolean {
  return value !== null && value !== false && value !== '';
}

/** The server's own time, whatever time was sent; but a text must be one (worksheets.md §2.4). */
function frozenAt(value: string | boolean | null, now: number): number | null {
  if (!isTruthy(value)) return null;
  if (typeof value === 'string' && parseIsoInstant(value) === undefined) {
    throw new SheafError('invalid-request', `frozen: ${value} is no ISO 8601 date-time.`);
  }
  return now;
}

function acceptedTags(tags: readonly string[]): string[] {
  if (!tags.every((tag) => isAscii(tag))) {
    throw new SheafError('invalid-request', 'Unsupported character detected, use ascii characters');
  }
  return tags.filter((tag) => tag !== '');
}
