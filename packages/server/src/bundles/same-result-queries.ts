/* What the database knows about runs that have, or will have, the same result. */
import { readPermission } from '@sheaf/domain';
import { rootUserId, type AnyQueries } from '../accounts/users.ts';
import type { UserViewer } from '../http/viewer.ts';
import { findBundles, permissionsOn } from './access.ts';
import type { BundleRow } from './transition.ts';
import { dependenciesOf } from './view.ts';

/** Runs looked at, the newest first. */
const mostLookedAt = 100;

/** What the name of an image meant when a worker last used it: one of the server's, or one that executed a run of the viewer. */
export async function lastDigest(
  queries: AnyQueries,
  viewer: UserViewer,
  reference: string,
): Promise<string | undefined> {
  const row = await queries
    .selectFrom('run_action')
    .innerJoin('bundle', 'bundle.uuid', 'run_action.run_uuid')
    .select('run_action.image_digest')
    .where('run_action.image_reference', '=', reference)
    .where('run_action.image_digest', 'is not', null)
    .where((eb) =>
      eb.or([eb('run_action.worker_user_id', '=', rootUserId), eb('bundle.owner_id', '=', viewer.id)]),
    )
    .orderBy('run_action.settled_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.image_digest ?? undefined;
}

/** The newest ready run with one of the keys: the viewer's own, else one that the viewer may read with all it was made of. */
export async function readyRun(
  queries: AnyQueries,
  viewer: UserViewer,
  keys: readonly string[],
): Promise<BundleRow | undefined> {
  if (keys.length === 0) return undefined;
  const same = queries
    .selectFrom('run_action')
    .innerJoin('bundle', 'bundle.uuid', 'run_action.run_uuid')
    .selectAll('bundle')
    .where('run_action.action_key', 'in', [...keys])
    .where('bundle.state', '=', 'ready')
    .where('bundle.root_entry', 'is not', null)
    .orderBy('bundle.id', 'desc');
  const own = await same.where('bundle.owner_id', '=', viewer.id).limit(1).executeTakeFirst();
  if (own !== undefined) return own;
  // Anybody may attach a worker and let it report what it likes: of others' results only those of the server's own count.
  const others = await same.where('run_action.worker_user_id', '=', rootUserId).limit(mostLookedAt).execute();
  return await firstOpenTo(queries, viewer, others);
}

/** The first run that the viewer may read together with everything it was made of. */
async function firstOpenTo(
  queries: AnyQueries,
  viewer: UserViewer,
  runs: readonly BundleRow[],
): Promise<BundleRow | undefined> {
  const dependencies = await dependenciesOf(
    queries,
    runs.map(({ uuid }) => uuid),
  );
  const parents = await findBundles(
    queries,
    dependencies.map((one) => one.parent_uuid),
  );
  const permissions = await permissionsOn(queries, viewer, [...runs, ...parents]);
  const readable = (uuid: string) => (permissions.get(uuid) ?? 0) >= readPermission;
  return runs.find(
    ({ uuid }) =>
      readable(uuid) && dependencies.every((one) => one.child_uuid !== uuid || readable(one.parent_uuid)),
  );
}

/** Runs of the viewer with this command that are under way and may end well. */
export async function runsWithCommand(
  queries: AnyQueries,
  viewer: UserViewer,
  command: string,
): Promise<BundleRow[]> {
  return await queries
    .selectFrom('bundle')
    .selectAll()
    .where('command', '=', command)
    .where('owner_id', '=', viewer.id)
    .where('bundle_type', '=', 'run')
    .where('state', 'in', ['created', 'staged', 'starting', 'preparing', 'running', 'finalizing'])
    .where('kill_requested_at', 'is', null)
    .orderBy('id', 'desc')
    .limit(mostLookedAt)
    .execute();
}
