/* Resolving bundle specs: uuids, beginnings of uuids, names and `^N` (rest-api.md §9.2, bundles.md §2.4). */
import {
  assertNever,
  likePattern,
  matchesText,
  parseBundleSpec,
  type LocalBundleSpec,
  type TextMatch,
} from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import { sql } from 'kysely';
import type { AnyQueries } from '../accounts/users.ts';
import type { Viewer } from '../http/viewer.ts';
import { resolveWorksheetSpec } from '../worksheets/specs.ts';

/**
 * One uuid for each spec, in order, duplicates kept. Whether a full uuid exists is not looked at.
 * @throws SheafError `not-found`, `ambiguous-spec`, `invalid-request`
 */
export async function resolveBundleSpecs(
  queries: AnyQueries,
  viewer: Viewer,
  specs: readonly string[],
  worksheetUuid: string | undefined,
): Promise<string[]> {
  const uuids: string[] = [];
  for (const spec of specs) uuids.push(await resolveBundleSpec(queries, viewer, spec, worksheetUuid));
  return uuids;
}

export async function resolveBundleSpec(
  queries: AnyQueries,
  viewer: Viewer,
  text: string,
  worksheetUuid: string | undefined,
): Promise<string> {
  const parsed = parseBundleSpec(text);
  if (!parsed.ok) throw new SheafError('invalid-request', parsed.problem);
  const spec = parsed.value;
  if (spec.kind !== 'on-worksheet') return await resolveLocal(queries, spec, text, worksheetUuid);
  const worksheet = await resolveWorksheetSpec(queries, viewer, spec.worksheet, worksheetUuid);
  return await resolveLocal(queries, spec.bundle, text, worksheet);
}

async function resolveLocal(
  queries: AnyQueries,
  spec: LocalBundleSpec,
  text: string,
  worksheetUuid: string | undefined,
): Promise<string> {
  switch (spec.kind) {
    case 'uuid':
      return spec.uuid;
    case 'prefix':
      return await resolvePrefix(queries, spec.prefix);
    case 'name': {
      const found =
        worksheetUuid === undefined
          ? await namedAnywhere(queries, spec.name, spec.index)
          : await namedOnWorksheet(queries, worksheetUuid, spec.name);
      if (found.length === 0)
        throw new SheafError('not-found', `bundle spec ${text} doesn't match any bundles`);
      return nth(found, spec.index, text);
    }
    case 'index': {
      if (worksheetUuid === undefined) {
        throw new SheafError('invalid-request', `${text} counts on a worksheet, and none was named.`);
      }
      return nth(await itemsNewestFirst(queries, worksheetUuid), spec.index, text);
    }
    default:
      return assertNever(spec);
  }
}

async function resolvePrefix(queries: AnyQueries, prefix: string): Promise<string> {
  const found = await queries
    .selectFrom('bundle')
    .select('uuid')
    .where('uuid', '>=', prefix)
    // `g` follows the last hexadecimal digit.
    .where('uuid', '<', `${prefix}g`)
    .limit(2)
    .execute();
  const [only, second] = found;
  if (only === undefined)
    throw new SheafError('not-found', `uuid prefix ${prefix} doesn't match any bundles`);
  if (second !== undefined)
    throw new SheafError('ambiguous-spec', `More than one bundle has uuid prefix ${prefix}`);
  return only.uuid;
}

/** Newest first. Exact names are preferred to those that differ in case. */
async function namedAnywhere(queries: AnyQueries, name: TextMatch, index: number): Promise<string[]> {
  const base = queries.selectFrom('bundle').select('uuid').orderBy('id', 'desc').limit(index);
  if (name.kind === 'exact') {
    const exact = await base.where('name', '=', name.text).execute();
    if (exact.length > 0) return exact.map((row) => row.uuid);
    const anyCase = await base.where(sql<string>`lower(name)`, '=', name.text.toLowerCase()).execute();
    return anyCase.map((row) => row.uuid);
  }
  const pattern = likePattern(name).toLowerCase();
  const rows = await base.where(sql<boolean>`lower(name) like ${pattern} escape '\\'`).execute();
  return rows.map((row) => row.uuid);
}

/** Newest item first; a bundle that occurs twice counts twice (rest-api.md §9.2). */
async function namedOnWorksheet(
  queries: AnyQueries,
  worksheetUuid: string,
  name: TextMatch,
): Promise<string[]> {
  const rows = await queries
    .selectFrom('worksheet_item')
    .innerJoin('bundle', 'bundle.uuid', 'worksheet_item.bundle_uuid')
    .select(['bundle.uuid', 'bundle.name'])
    .where('worksheet_item.worksheet_uuid', '=', worksheetUuid)
    .orderBy('worksheet_item.id', 'desc')
    .execute();
  const exact = name.kind === 'exact' ? rows.filter((row) => row.name === name.text) : [];
  const chosen = exact.length > 0 ? exact : rows.filter((row) => matchesText(name, row.name));
  return chosen.map((row) => row.uuid);
}

async function itemsNewestFirst(queries: AnyQueries, worksheetUuid: string): Promise<string[]> {
  const rows = await queries
    .selectFrom('worksheet_item')
    .select('bundle_uuid')
    .where('worksheet_uuid', '=', worksheetUuid)
    .where('type', '=', 'bundle')
    .orderBy('id', 'desc')
    .execute();
  return rows.map((row) => row.bundle_uuid).filter((uuid) => uuid !== null);
}

function nth(uuids: readonly string[], index: number, text: string): string {
  const uuid = uuids[index - 1];
  if (uuid === undefined) {
    throw new SheafError(
      'invalid-request',
      `bundle spec ${text}: index ${index} out of bounds (${uuids.length} found)`,
    );
  }
  return uuid;
}
