/* Resolving worksheet specs (rest-api.md §9.3, worksheets.md §1.5). */
import {
  assertNever,
  formatWorksheetSpec,
  homeWorksheetName,
  parseWorksheetSpec,
  type WorksheetSpec,
} from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import { sql } from 'kysely';
import type { AnyQueries } from '../accounts/users.ts';
import type { Viewer } from '../http/viewer.ts';

/** @throws SheafError `invalid-request` */
export function readWorksheetSpec(text: string): WorksheetSpec {
  const parsed = parseWorksheetSpec(text);
  if (!parsed.ok) throw new SheafError('invalid-request', parsed.problem);
  return parsed.value;
}

/**
 * The uuid a spec names. Worksheets that are items of the base come first; a full uuid is not looked up.
 * @throws SheafError `not-found`, `ambiguous-spec`
 */
export async function resolveWorksheetSpec(
  queries: AnyQueries,
  viewer: Viewer,
  spec: WorksheetSpec,
  baseUuid: string | undefined,
): Promise<string> {
  if (spec.kind === 'uuid') return spec.uuid;
  const near = baseUuid === undefined ? [] : await candidates(queries, viewer, spec, baseUuid);
  const found = near.length > 0 ? near : await candidates(queries, viewer, spec, undefined);
  const [only, second] = found;
  if (only === undefined) throw new SheafError('not-found', notFoundMessage(spec, viewer));
  if (second === undefined) return only.uuid;
  const lines = found.map((row) => `${row.uuid} (${row.name})`);
  throw new SheafError(
    'ambiguous-spec',
    `Found multiple worksheets with spec ${formatWorksheetSpec(spec)}:\n${lines.join('\n')}`,
  );
}

interface Candidate {
  uuid: string;
  name: string;
}

async function candidates(
  queries: AnyQueries,
  viewer: Viewer,
  spec: Exclude<WorksheetSpec, { kind: 'uuid' }>,
  baseUuid: string | undefined,
): Promise<Candidate[]> {
  let query = queries.selectFrom('worksheet').select(['uuid', 'name']).orderBy('id').limit(20);
  if (baseUuid !== undefined) {
    query = query.where('uuid', 'in', (eb) =>
      eb
        .selectFrom('worksheet_item')
        .select('subworksheet_uuid')
        .where('worksheet_uuid', '=', baseUuid)
        .where('subworksheet_uuid', 'is not', null)
        .$castTo<{ subworksheet_uuid: string }>(),
    );
  }
  switch (spec.kind) {
    case 'home':
      return await query
        .where(sql<string>`lower(name)`, '=', homeWorksheetName(viewerName(viewer)).toLowerCase())
        .execute();
    case 'prefix':
      return await query.where('uuid', '>=', spec.prefix).where('uuid', '<', `${spec.prefix}g`).execute();
    case 'name':
      return await query.where(sql<string>`lower(name)`, '=', spec.name.toLowerCase()).execute();
    default:
      return assertNever(spec);
  }
}

function viewerName(viewer: Viewer): string {
  return viewer.kind === 'anonymous' ? 'public' : viewer.name;
}

function notFoundMessage(spec: WorksheetSpec, viewer: Viewer): string {
  if (spec.kind === 'prefix') return `No worksheet found with uuid starting with '${spec.prefix}'`;
  const name = spec.kind === 'home' ? homeWorksheetName(viewerName(viewer)) : formatWorksheetSpec(spec);
  return `No worksheet found with name '${name}'`;
}
