/* Groups documents (rest-api.md §7.1): all three relationships always, and every user that is linked. */
import type { Document, Linkage, Resource } from '@sheaf/wire';
import { inChunks } from '../database/chunks.ts';
import type { GroupRow } from './groups.ts';
import { publicUserResource } from './user-resource.ts';
import { usersByIds, type AnyQueries } from './users.ts';

export type GroupResource = Resource<Record<string, unknown>>;

export async function groupsDocument(
  queries: AnyQueries,
  groups: readonly GroupRow[],
): Promise<Document<GroupResource[]>> {
  const members = await inChunks(
    groups.map((group) => group.uuid),
    (chunk) =>
      queries
        .selectFrom('group_member')
        .selectAll()
        .where('group_uuid', 'in', chunk)
        .orderBy('user_id')
        .execute(),
  );
  const owners = groups.map((group) => group.owner_id).filter((id) => id !== null);
  const users = await usersByIds(queries, [...owners, ...members.map((member) => member.user_id)]);
  const data = groups.map((group) => {
    const others = members.filter(
      (member) =>
        member.group_uuid === group.uuid && member.user_id !== group.owner_id && users.has(member.user_id),
    );
    const links = (isAdmin: number): Linkage[] =>
      others.filter((member) => member.is_admin === isAdmin).map((member) => userLink(member.user_id));
    const owner = group.owner_id !== null && users.has(group.owner_id) ? userLink(group.owner_id) : null;
    return groupResource(group, { owner, admins: links(1), members: links(0) });
  });
  return { data, included: [...users.values()].map(publicUserResource) };
}

export function groupResource(
  group: GroupRow,
  people: { owner: Linkage | null; admins?: Linkage[]; members?: Linkage[] },
): GroupResource {
  return {
    type: 'groups',
    id: group.uuid,
    attributes: { name: group.name, user_defined: group.user_defined !== 0 },
    relationships: Object.fromEntries(Object.entries(people).map(([name, data]) => [name, { data }])),
  };
}

export function userLink(id: string): Linkage {
  return { type: 'users', id };
}
