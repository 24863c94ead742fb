/* `/rest/user` and `/rest/users` (rest-api.md §6). */
import { postProcess } from '@sheaf/domain';
import { identifierList, SheafError } from '@sheaf/wire';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { sendJson } from '../http/json.ts';
import { parse } from '../http/parse.ts';
import { queryOf } from '../http/query.ts';
import { requireUser, type UserViewer } from '../http/viewer.ts';
import type { Services } from '../services.ts';
import { createUser } from './create-user.ts';
import { deleteUsers } from './delete-user.ts';
import { countUpload, incrementRequest } from './disk-increment.ts';
import { hashPassword } from './password.ts';
import { changeUser, refuseReadOnlyFields, selfSettable, userAttributes } from './user-changes.ts';
import { ownUserResource, publicUserResource, userResourceForRoot } from './user-resource.ts';
import { searchUsers } from './user-search.ts';
import { findUser, findUserBySpec, type UserRow } from './users.ts';

const selfPatch = z.object({ data: z.object({ attributes: userAttributes.prefault({}) }) });
/** What was sent, before the values are looked at: the mere presence of some fields is refused. */
const sentFields = z.object({
  data: z.object({ attributes: z.record(z.string(), z.unknown()).default({}) }),
});
const rootPatch = z.object({
  data: z.array(z.object({ id: z.string(), attributes: userAttributes.prefault({}) })).length(1),
});
const newUsers = z.object({
  data: z
    .array(
      z.object({
        id: z.string().nullish(),
        attributes: userAttributes.extend({ user_name: z.string(), password: z.string().min(1) }),
      }),
    )
    .min(1),
});

export function registerUserRoutes(app: FastifyInstance, services: Services): void {
  const { queries } = services.database;
  const { protectedMode } = services.settings;
  const own = { access: 'user', allowUnverified: true } as const;
  const open = { access: 'public' } as const;

  app.get('/rest/user', { config: own }, async (request, reply) => {
    const viewer = requireUser(request);
    const resource = ownUserResource(await existing(viewer.id));
    const flags = { is_root_user: viewer.isRoot, protected_mode: protectedMode };
    return sendJson(reply, { data: { ...resource, attributes: { ...resource.attributes, ...flags } } });
  });

  app.patch('/rest/user', { config: own }, async (request, reply) => {
    const viewer = requireUser(request);
    refuseReadOnlyFields(parse(sentFields, request.body).data.attributes);
    const { attributes } = parse(selfPatch, request.body).data;
    const user = await services.unitOfWork(async (unit) =>
      changeUser(unit, await existing(viewer.id, unit.queries), selfSettable(attributes)),
    );
    return sendJson(reply, { data: ownUserResource(user) });
  });

  app.patch('/rest/user/increment_disk_used', { config: own }, async (request, reply) => {
    const viewer = requireUser(request);
    const [first] = parse(incrementRequest, request.body).data;
    if (first === undefined) throw new SheafError('invalid-request', 'data: one increment is expected');
    const user = await services.unitOfWork((unit) =>
      countUpload(unit, viewer, first.attributes, services.clock.now()),
    );
    return sendJson(reply, { data: [ownUserResource(user)] });
  });

  app.get<{ Params: { spec: string } }>('/rest/users/:spec', { config: open }, async (request, reply) => {
    const user = await findUserBySpec(queries, request.params.spec);
    if (user === undefined) throw new SheafError('not-found', `User ${request.params.spec} not found`);
    return sendJson(reply, { data: resourceFor(request, user) });
  });

  app.get('/rest/users', { config: open }, async (request, reply) => {
    const query = queryOf(request);
    const named = ['filter[user_name]', 'filter[email]'].flatMap((name) =>
      query.list(name).flatMap((list) => list.split(',').filter((word) => word !== '')),
    );
    const found = await searchUsers(queries, query.list('keywords'), isRoot(request), named);
    if (found.kind === 'count') {
      return sendJson(reply, { meta: { results: postProcess(found.count, found.format) } });
    }
    return sendJson(reply, { data: found.users.map((user) => resourceFor(request, user)) });
  });

  app.patch('/rest/users', { config: open }, async (request, reply) => {
    requireRoot(request);
    const [patch] = parse(rootPatch, request.body).data;
    if (patch === undefined) throw new SheafError('invalid-request', 'data: exactly one user is expected');
    const user = await services.unitOfWork(async (unit) => {
      const before = await existing(patch.id, unit.queries);
      refuseAccessChange(before, patch.attributes.has_access, protectedMode);
      return await changeUser(unit, before, patch.attributes);
    });
    return sendJson(reply, { data: [userResourceForRoot(user)] });
  });

  // New in Sheaf: the original had no way but sign-up and its database (rest-api.md §6.1).
  app.post('/rest/users', { config: open }, async (request, reply) => {
    requireRoot(request);
    const { data } = parse(newUsers, request.body);
    const hashed = await Promise.all(data.map(({ attributes }) => hashPassword(attributes.password)));
    const users = await services.unitOfWork(async (unit) => {
      const created: UserRow[] = [];
      for (const [index, { id, attributes }] of data.entries()) {
        created.push(
          await createUser(unit, newUser(id ?? undefined, attributes, hashed[index] ?? ''), services),
        );
      }
      return created;
    });
    return sendJson(reply, { data: users.map(userResourceForRoot) });
  });

  app.delete('/rest/users', { config: { access: 'user' } }, async (request, reply) => {
    const viewer = requireUser(request);
    const ids = parse(identifierList, request.body).data.map((link) => link.id);
    await services.unitOfWork((unit) => deleteUsers(unit, viewer, ids));
    return sendJson(reply, { meta: { ids } });
  });

  async function existing(id: string, from: Parameters<typeof findUser>[0] = queries): Promise<UserRow> {
    const user = await findUser(from, id);
    if (user === undefined) throw new SheafError('not-found', `User ${id} not found`);
    return user;
  }
}

function isRoot(request: FastifyRequest): boolean {
  return request.viewer.kind === 'user' && request.viewer.isRoot;
}

function requireRoot(request: FastifyRequest): UserViewer {
  if (request.viewer.kind === 'user' && request.viewer.isRoot) return request.viewer;
  throw new SheafError('permission-denied', 'Only the root user may do this.', {
    next: 'Ask the administrator.',
  });
}

function resourceFor(request: FastifyRequest, user: UserRow) {
  return isRoot(request) ? userResourceForRoot(user) : publicUserResource(user);
}

function refuseAccessChange(
  user: UserRow,
  hasAccess: boolean | null | undefined,
  protectedMode: boolean,
): void {
  if (hasAccess === undefined) return;
  if (!protectedMode) {
    throw new SheafError('invalid-request', 'Access is given only while the server is in protected mode.');
  }
  if (user.is_verified === 0) {
    throw new SheafError('invalid-request', 'User has to be verified first in order to be granted access.');
  }
}

function newUser(
  id: string | undefined,
  attributes: z.output<typeof newUsers>['data'][number]['attributes'],
  passwordHash: string,
): Parameters<typeof createUser>[1] {
  const { time_quota: time, disk_quota: disk, parallel_run_quota: runs } = attributes;
  return {
    ...(id === undefined ? {} : { id }),
    name: attributes.user_name,
    passwordHash,
    email: attributes.email ?? '',
    firstName: attributes.first_name ?? null,
    lastName: attributes.last_name ?? null,
    affiliation: attributes.affiliation ?? null,
    isVerified: attributes.is_verified ?? true,
    hasAccess: attributes.has_access ?? false,
    ...(time === undefined ? {} : { timeQuota: time }),
    ...(disk === undefined ? {} : { diskQuota: disk }),
    ...(runs === undefined ? {} : { parallelRuns: runs }),
  };
}
