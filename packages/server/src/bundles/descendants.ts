/* What was made from a bundle: children, their children, and so on (rest-api.md §11.2, §15). */
import type { AnyQueries } from '../accounts/users.ts';
import { inChunks } from '../database/chunks.ts';

/** The bundles and what depends on them, breadth first, each once. `depth` is how many levels down. */
export async function withDescendants(
  queries: AnyQueries,
  uuids: readonly string[],
  depth: number,
): Promise<string[]> {
  const found = new Set(uuids);
  let level = [...found];
  for (let step = 0; step < depth && level.length > 0; step += 1) {
    const edges = await inChunks(level, (chunk) =>
      queries
        .selectFrom('dependency')
        .innerJoin('bundle', 'bundle.uuid', 'dependency.child_uuid')
        .select(['dependency.child_uuid', 'bundle.id'])
        .distinct()
        .where('dependency.parent_uuid', 'in', chunk)
        .orderBy('bundle.id')
        .execute(),
    );
    level = edges.map((edge) => edge.child_uuid).filter((uuid) => !found.has(uuid));
    level = [...new Set(level)];
    for (const uuid of level) found.add(uuid);
  }
  return [...found];
}

/** Everything below the bundles, without themselves. */
export async function descendantsOf(queries: AnyQueries, uuids: readonly string[]): Promise<string[]> {
  const all = await withDescendants(queries, uuids, Number.POSITIVE_INFINITY);
  const given = new Set(uuids);
  return all.filter((uuid) => !given.has(uuid));
}
