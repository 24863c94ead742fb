/* Users as others, they themselves and root see them (rest-api.md §6.1). Numbers are truncated to integers. */
import type { Resource } from '@sheaf/wire';
import { asctime } from '../http/instant.ts';
import type { UserRow } from './users.ts';

export type UserResource = Resource<Record<string, unknown>>;

export function publicUserResource(user: UserRow): UserResource {
  return { type: 'users', id: user.id, attributes: publicAttributes(user) };
}

/** What people see of themselves at `/user`. */
export function ownUserResource(user: UserRow): UserResource {
  return {
    type: 'users',
    id: user.id,
    attributes: { ...publicAttributes(user), ...privateAttributes(user) },
  };
}

export function userResourceForRoot(user: UserRow): UserResource {
  const resource = ownUserResource(user);
  return { ...resource, attributes: { ...resource.attributes, is_verified: user.is_verified !== 0 } };
}

function publicAttributes(user: UserRow): Record<string, unknown> {
  return {
    user_name: user.name,
    first_name: user.first_name,
    last_name: user.last_name,
    affiliation: user.affiliation,
    url: user.url,
    date_joined: asctime(user.joined_at),
    avatar_id: user.avatar_id,
    has_access: user.has_access !== 0,
  };
}

function privateAttributes(user: UserRow): Record<string, unknown> {
  return {
    email: user.email,
    notifications: user.notifications,
    time_quota: Math.trunc(user.time_quota),
    time_used: Math.trunc(user.time_used),
    parallel_run_quota: user.parallel_run_quota,
    disk_quota: user.disk_quota,
    disk_used: user.disk_used,
    last_login: user.last_login_at === null ? null : asctime(user.last_login_at),
  };
}
