/* Creating worksheets (worksheets.md §1.4, §9.4). */
import { homeWorksheetName, nameProblem, readPermission } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import { sql } from 'kysely';
import { publicGroup } from '../accounts/groups.ts';
import type { AnyQueries } from '../accounts/users.ts';
import { lockNames } from '../database/name-lock.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { UserViewer } from '../http/viewer.ts';
import type { Clock, Ids } from '../services.ts';
import type { WorksheetRow } from './access.ts';
import { appendItems } from './items.ts';
import { templateOf } from './templates.ts';

const homePrefix = homeWorksheetName('');

/** @throws SheafError `invalid-request` where the name is malformed, taken or another user's home */
export async function refuseWorksheetName(
  queries: AnyQueries,
  viewer: UserViewer,
  name: string,
  except = '',
): Promise<void> {
  const problem = nameProblem('worksheet', name);
  if (problem !== undefined) throw new SheafError('invalid-request', problem);
  if (name.toLowerCase().startsWith(homePrefix) && name !== homeWorksheetName(viewer.name)) {
    throw new SheafError(
      'invalid-request',
      `Cannot create ${name} because this is potentially the home worksheet of another user`,
    );
  }
  const taken = await queries
    .selectFrom('worksheet')
    .select('uuid')
    .where(sql<string>`lower(name)`, '=', name.toLowerCase())
    .where('uuid', '<>', except)
    .executeTakeFirst();
  if (taken !== undefined) {
    throw new SheafError('invalid-request', `Worksheet with name ${name} already exists`);
  }
}

/** Creates a worksheet that everybody may read; empty, except for the two that come with a text. */
export async function createWorksheet(
  unit: UnitOfWork,
  viewer: UserViewer,
  name: string,
  { clock, ids }: { clock: Clock; ids: Ids },
): Promise<WorksheetRow> {
  await lockNames(unit);
  await refuseWorksheetName(unit.queries, viewer, name);
  const template = templateOf(name);
  const now = clock.now();
  const worksheet = await unit.queries
    .insertInto('worksheet')
    .values({
      uuid: ids.uuid(),
      name,
      owner_id: viewer.id,
      title: template?.title ?? null,
      tags: unit.dialect.json_([]),
      frozen_at: null,
      is_anonymous: 0,
      created_at: now,
      changed_at: now,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  const everybody = await publicGroup(unit.queries);
  await unit.queries
    .insertInto('worksheet_permission')
    .values({ worksheet_uuid: worksheet.uuid, group_uuid: everybody.uuid, permission: readPermission })
    .execute();
  if (template !== undefined) await appendItems(unit, worksheet.uuid, template.items, now);
  return worksheet;
}
