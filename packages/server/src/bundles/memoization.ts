/* Finding one's own bundles with the same command and dependencies (rest-api.md §11.4). */
import { SheafError } from '@sheaf/wire';
import { z } from 'zod';
import type { AnyQueries } from '../accounts/users.ts';
import type { Query } from '../http/query.ts';
import type { Viewer } from '../http/viewer.ts';
import { dependenciesOf } from './view.ts';

const wantedDependencies = z.array(z.object({ child_path: z.string(), parent_uuid: z.string() }));

export interface Memoization {
  command: string;
  dependencies: z.output<typeof wantedDependencies>;
}

/** @throws SheafError `invalid-request` where `dependencies` is no such JSON */
export function parseMemoization(query: Query): Memoization {
  const text = query.text('dependencies') ?? '';
  const dependencies = wantedDependencies.safeParse(text === '' ? [] : parseJson(text));
  if (!dependencies.success) {
    throw new SheafError('invalid-request', 'dependencies must be a JSON list of {child_path, parent_uuid}.');
  }
  return { command: query.text('command') ?? '', dependencies: dependencies.data };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SheafError('invalid-request', 'dependencies is not JSON.', { cause: error });
  }
}

/** Oldest first. State, type and `parent_path` are not compared. */
export async function sameBundles(
  queries: AnyQueries,
  viewer: Viewer,
  wanted: Memoization,
): Promise<string[]> {
  if (viewer.kind === 'anonymous') return [];
  const [first] = wanted.dependencies;
  let query = queries
    .selectFrom('bundle')
    .select('uuid')
    .where('owner_id', '=', viewer.id)
    .where('command', '=', wanted.command)
    .orderBy('id');
  if (first !== undefined) {
    query = query.where('uuid', 'in', (eb) =>
      eb.selectFrom('dependency').select('child_uuid').where('parent_uuid', '=', first.parent_uuid),
    );
  }
  const candidates = (await query.execute()).map((row) => row.uuid);
  const dependencies = await dependenciesOf(queries, candidates);
  const pairs = new Map<string, string[]>(candidates.map((uuid) => [uuid, []]));
  for (const row of dependencies) pairs.get(row.child_uuid)?.push(pairOf(row));
  const asked = new Set(wanted.dependencies.map(pairOf));
  return candidates.filter((uuid) => {
    const own = pairs.get(uuid) ?? [];
    return (
      own.length === wanted.dependencies.length &&
      new Set(own).size === asked.size &&
      own.every((pair) => asked.has(pair))
    );
  });
}

function pairOf(dependency: { child_path: string; parent_uuid: string }): string {
  return `${dependency.parent_uuid}\n${dependency.child_path}`;
}
