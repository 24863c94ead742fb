import { failure, success, type Outcome } from '../outcome.ts';

/** Permission levels on bundles and worksheets (rest-api.md §8): 0 none, 1 read, 2 all. */
export type Permission = 0 | 1 | 2;
export type PermissionSpec = 'none' | 'read' | 'all';

export const noPermission = 0;
export const readPermission = 1;
export const allPermission = 2;

const specs = ['none', 'read', 'all'] as const satisfies readonly PermissionSpec[];

/** Reads `n`, `none`, `r`, `read`, `a`, `all` (cli.md §4.1). */
export function parsePermission(text: string): Outcome<Permission> {
  const level = specs.findIndex((spec) => text === spec || text === spec[0]);
  return isPermission(level)
    ? success(level)
    : failure(`Invalid permission: ${text}, expected none, read or all`);
}

export function formatPermission(permission: Permission): PermissionSpec {
  return specs[permission];
}

export function isPermission(value: unknown): value is Permission {
  return value === 0 || value === 1 || value === 2;
}

export interface Viewer {
  /** Null for somebody who is not signed in. */
  userId: string | null;
  /** Every group of the viewer, `public` included. */
  groups: ReadonlySet<string>;
}

export interface Grant {
  group: string;
  permission: Permission;
}

/**
 * What a viewer may do with an object (rest-api.md §8.2): everything as its owner or as root, else the most that any of
 * the viewer's groups was granted. An object without owner belongs to nobody.
 */
export function effectivePermission(
  viewer: Viewer,
  object: { ownerId: string | null; grants: Iterable<Grant> },
  rootUserId: string,
): Permission {
  if (viewer.userId !== null && (viewer.userId === rootUserId || viewer.userId === object.ownerId)) {
    return allPermission;
  }
  let most: Permission = noPermission;
  for (const { group, permission } of object.grants) {
    if (permission > most && viewer.groups.has(group)) most = permission;
  }
  return most;
}

/**
 * The sentence that refuses an access (rest-api.md §8.2), naming the user, the objects and the permissions; clients match
 * `does not have sufficient permissions`.
 */
export function permissionRefusal(refusal: {
  user: { name: string; id: string } | null;
  kind: 'bundle' | 'worksheet';
  uuids: readonly string[];
  have: Permission;
  need: Permission;
}): string {
  const user = refusal.user === null ? 'public(None)' : `${refusal.user.name}(${refusal.user.id})`;
  const have = formatPermission(refusal.have);
  const need = formatPermission(refusal.need);
  return `User ${user} does not have sufficient permissions on ${refusal.kind} ${refusal.uuids.join(', ')} (have ${have}, need ${need}).`;
}
