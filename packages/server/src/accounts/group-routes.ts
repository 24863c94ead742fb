/* `/rest/groups` (rest-api.md §7). */
import { identifierList, SheafError } from '@sheaf/wire';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { sendJson } from '../http/json.ts';
import { parse } from '../http/parse.ts';
import { requireUser } from '../http/viewer.ts';
import type { Services } from '../services.ts';
import { addMembers, createGroup, deleteGroup, removeMembers, requireGroupAdmin } from './group-changes.ts';
import { groupResource, groupsDocument, userLink } from './group-resource.ts';
import { groupsOf, resolveGroup, resolveGroupFor, type GroupRow } from './groups.ts';

const newGroups = z.object({
  data: z.array(z.object({ attributes: z.object({ name: z.string() }) })).min(1),
});

interface SpecRoute {
  Params: { spec: string };
}

export function registerGroupRoutes(app: FastifyInstance, services: Services): void {
  const { queries } = services.database;
  const config = { access: 'user-with-access' } as const;

  app.get<SpecRoute>('/rest/groups/:spec', { config }, async (request, reply) => {
    const group = await resolveGroup(queries, request.params.spec);
    const { data, ...rest } = await groupsDocument(queries, [group]);
    return sendJson(reply, { data: data[0], ...rest });
  });

  app.get('/rest/groups', { config }, async (request, reply) => {
    const viewer = requireUser(request);
    const own = await groupsOf(queries, viewer.id);
    const all = await queries.selectFrom('user_group').selectAll().orderBy('name').execute();
    const shown = all.filter((group) => viewer.isRoot || own.has(group.uuid) || group.owner_id === viewer.id);
    return sendJson(reply, await groupsDocument(queries, shown));
  });

  app.post('/rest/groups', { config }, async (request, reply) => {
    const viewer = requireUser(request);
    const names = parse(newGroups, request.body).data.map(({ attributes }) => attributes.name);
    const groups = await services.unitOfWork(async (unit) => {
      const created: GroupRow[] = [];
      for (const name of names) created.push(await createGroup(unit, viewer, name, services.ids));
      return created;
    });
    const owner = userLink(viewer.id);
    return sendJson(reply, { data: groups.map((group) => groupResource(group, { owner })) });
  });

  app.delete('/rest/groups', { config }, async (request, reply) => {
    const viewer = requireUser(request);
    const specs = parse(identifierList, request.body).data.map((link) => link.id);
    await services.unitOfWork(async (unit) => {
      const groups: GroupRow[] = [];
      for (const spec of specs) groups.push(await resolveGroupFor(unit.queries, viewer, spec));
      for (const group of groups) await requireGroupAdmin(unit.queries, viewer, group);
      for (const group of groups) await deleteGroup(unit, group);
    });
    return reply.code(204).send();
  });

  for (const role of ['members', 'admins'] as const) {
    const path = `/rest/groups/:spec/relationships/${role}`;

    app.post<SpecRoute>(path, { config }, async (request, reply) => {
      const viewer = requireUser(request);
      const userIds = userIdsOf(request);
      await services.unitOfWork(async (unit) => {
        const group = await resolveGroupFor(unit.queries, viewer, request.params.spec);
        await requireGroupAdmin(unit.queries, viewer, group);
        await addMembers(unit, group, userIds, role === 'admins');
      });
      return sendJson(reply, request.body as object);
    });

    app.delete<SpecRoute>(path, { config }, async (request, reply) => {
      const viewer = requireUser(request);
      const userIds = userIdsOf(request);
      await services.unitOfWork(async (unit) => {
        const group = await resolveGroupFor(unit.queries, viewer, request.params.spec);
        await requireGroupAdmin(unit.queries, viewer, group);
        await removeMembers(unit, group, userIds);
      });
      return reply.code(204).send();
    });
  }
}

function userIdsOf(request: FastifyRequest): string[] {
  const links = parse(identifierList, request.body).data;
  if (links.some((link) => link.type !== 'users'))
    throw new SheafError('invalid-request', "type must be 'users'");
  return links.map((link) => link.id);
}
