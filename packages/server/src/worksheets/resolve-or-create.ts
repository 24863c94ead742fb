/* Home and dashboard come into being when somebody first looks for them (worksheets.md §1.5). */
import { homeWorksheetName, type WorksheetSpec } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import { lockNames } from '../database/name-lock.ts';
import type { Viewer } from '../http/viewer.ts';
import type { Services } from '../services.ts';
import { createWorksheet } from './create.ts';
import { readWorksheetSpec, resolveWorksheetSpec } from './specs.ts';

/** The uuid of the worksheet a spec names. @throws SheafError `not-found`, `ambiguous-spec`, `invalid-request` */
export async function resolveOrCreate(
  services: Services,
  viewer: Viewer,
  text: string,
  baseUuid: string | undefined,
): Promise<string> {
  const spec = readWorksheetSpec(text);
  try {
    return await resolveWorksheetSpec(services.database.queries, viewer, spec, baseUuid);
  } catch (error) {
    if (!(error instanceof SheafError) || error.code !== 'not-found' || !comesIntoBeing(spec)) throw error;
  }
  return await createMissing(services, viewer, spec);
}

async function createMissing(services: Services, viewer: Viewer, spec: WorksheetSpec): Promise<string> {
  if (viewer.kind === 'anonymous') {
    throw new SheafError('permission-denied', 'You must be logged in to create a worksheet.', {
      next: 'Sign in: run `cl work`.',
    });
  }
  const name = spec.kind === 'name' ? spec.name : homeWorksheetName(viewer.name);
  return await services.unitOfWork(async (unit) => {
    // Somebody else may have asked at the same time.
    await lockNames(unit);
    const known = await unit.queries
      .selectFrom('worksheet')
      .select('uuid')
      .where('name', '=', name)
      .executeTakeFirst();
    return known?.uuid ?? (await createWorksheet(unit, viewer, name, services)).uuid;
  });
}

function comesIntoBeing(spec: WorksheetSpec): boolean {
  return spec.kind === 'home' || (spec.kind === 'name' && spec.name === 'dashboard');
}
