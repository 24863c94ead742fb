/*
 * What a dependency stands for, by contents: an entry of the parent, or, where the parent has nothing under the path, of that
 * dependency of the parent whose key the path begins with (execution.md §8.4). Not to be called inside a unit of work.
 */
import { isFinal, matchDependency } from '@sheaf/domain';
import type { Entry } from '@sheaf/trees';
import type { AnyQueries } from '../accounts/users.ts';
import { findBundle } from '../bundles/access.ts';
import { bundleState } from '../bundles/row.ts';
import type { BundleRow } from '../bundles/transition.ts';
import { dependenciesOf } from '../bundles/view.ts';
import type { DependencyEntries } from './dependency-entries.ts';
import { linkOf } from './linked.ts';

/** `holders` are the bundles looked into on the way, the parent first. */
export type Input =
  | { readonly kind: 'stored'; readonly entry: Entry; readonly holders: readonly BundleRow[] }
  /** Contents that may still change: those of a bundle that is not final, or of a link. */
  | { readonly kind: 'open'; readonly holders: readonly BundleRow[] }
  /** `why` is for those who may read the holders. */
  | { readonly kind: 'nothing'; readonly why: string; readonly holders: readonly BundleRow[] };

/** As many as a path is followed through when it is read. */
const mostHops = 50;

export async function findInput(
  queries: AnyQueries,
  entries: DependencyEntries,
  parent: BundleRow,
  path: string,
): Promise<Input> {
  const holders: BundleRow[] = [];
  let bundle = parent;
  let rest = path;
  for (let hops = 0; hops <= mostHops; hops += 1) {
    holders.push(bundle);
    if (!isFinal(bundleState(bundle)) || linkOf(bundle) !== undefined) return { kind: 'open', holders };
    const entry = await entries.find(bundle, rest);
    if (entry !== undefined) {
      if (hops > 0) entries.noteThrough(parent.uuid, path, entry);
      return { kind: 'stored', entry, holders };
    }
    const match = matchDependency(rest, await dependenciesOf(queries, [bundle.uuid]));
    const next = match === undefined ? undefined : await findBundle(queries, match.dependency.parent_uuid);
    if (match === undefined || next === undefined) break;
    bundle = next;
    rest = match.parentPath;
  }
  return { kind: 'nothing', why: whyNothing(parent, path), holders };
}

function whyNothing(parent: BundleRow, path: string): string {
  const shown = `${parent.name}(${parent.uuid})`;
  return parent.root_entry === null
    ? `${shown} is ${parent.state} and has no contents`
    : `there is nothing at ${path} in ${shown}`;
}
