/* Permissions of people on owned things, bundles and worksheets alike; the rule itself is in the domain (rest-api.md §8). */
import {
  allPermission,
  effectivePermission,
  isPermission,
  permissionRefusal,
  type Grant,
  type Permission,
} from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import type { Viewer } from '../http/viewer.ts';
import { groupsOf } from './groups.ts';
import { rootUserId, type AnyQueries } from './users.ts';

/** What a permission depends on; a whole row will do. */
export interface Owned {
  uuid: string;
  owner_id: string | null;
}

export interface GrantRow {
  /** The bundle or worksheet. */
  uuid: string;
  group_uuid: string;
  permission: number;
}

export function userIdOf(viewer: Viewer): string | null {
  return viewer.kind === 'anonymous' ? null : viewer.id;
}

/** Permissions on many things with at most two queries; `grantsOn` reads the grants of those that need them. */
export async function permissionsOf(
  queries: AnyQueries,
  userId: string | null,
  things: readonly Owned[],
  grantsOn: (uuids: string[]) => Promise<GrantRow[]>,
): Promise<ReadonlyMap<string, Permission>> {
  const others = things.filter((thing) => !hasAll(userId, thing)).map((thing) => thing.uuid);
  const groups: ReadonlySet<string> = others.length === 0 ? new Set() : await groupsOf(queries, userId);
  const grants = byThing(others.length === 0 ? [] : await grantsOn(others));
  return new Map(
    things.map((thing) => [
      thing.uuid,
      effectivePermission(
        { userId, groups },
        { ownerId: thing.owner_id, grants: grants.get(thing.uuid) ?? [] },
        rootUserId,
      ),
    ]),
  );
}

function hasAll(userId: string | null, thing: Owned): boolean {
  const withoutGroups = { userId, groups: new Set<string>() };
  const alone = effectivePermission(withoutGroups, { ownerId: thing.owner_id, grants: [] }, rootUserId);
  return alone === allPermission;
}

function byThing(rows: readonly GrantRow[]): ReadonlyMap<string, Grant[]> {
  const grants = new Map<string, Grant[]>();
  for (const { uuid, group_uuid, permission } of rows) {
    if (!isPermission(permission)) continue;
    const grant = { group: group_uuid, permission };
    const known = grants.get(uuid);
    if (known === undefined) grants.set(uuid, [grant]);
    else known.push(grant);
  }
  return grants;
}

/** @throws SheafError `permission-denied` naming the things on which the viewer has less than is needed */
export function refuseWithout(
  need: Permission,
  asked: {
    viewer: Viewer;
    kind: 'bundle' | 'worksheet';
    things: readonly Owned[];
    permissions: ReadonlyMap<string, Permission>;
  },
): void {
  const { viewer, kind, things, permissions } = asked;
  const held = (thing: Owned): Permission => permissions.get(thing.uuid) ?? 0;
  const refused = things.filter((thing) => held(thing) < need);
  const [first] = refused;
  if (first === undefined) return;
  const have = refused.map(held).reduce((least, one) => (one < least ? one : least), held(first));
  const uuids = [...new Set(refused.map((thing) => thing.uuid))];
  const user = viewer.kind === 'anonymous' ? null : viewer;
  throw new SheafError('permission-denied', permissionRefusal({ user, kind, uuids, have, need }));
}
