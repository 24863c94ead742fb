import { formatPermission } from '@sheaf/domain';
import { linkage, SheafError } from '@sheaf/wire';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { groupsByIds } from '../accounts/groups.ts';
import { permissionInput, readPermissionInput } from '../accounts/permission-input.ts';
import { sendJson } from '../http/json.ts';
import { parse } from '../http/parse.ts';
import { requireUser } from '../http/viewer.ts';
import type { Services } from '../services.ts';
import { requireBundles } from './access.ts';
import { lockBundles } from './locks.ts';

const permissionRequest = z.object({
  data: z
    .array(
      z.object({
        attributes: permissionInput,
        relationships: z.object({ bundle: z.object({ data: linkage }), group: z.object({ data: linkage }) }),
      }),
    )
    .min(1),
});

/** `POST /rest/bundle-permissions` (rest-api.md §16.2): all or nothing; `none` removes. */
export function registerPermissionRoutes(app: FastifyInstance, services: Services): void {
  app.post('/rest/bundle-permissions', { config: { access: 'user-with-access' } }, async (request, reply) => {
    const viewer = requireUser(request);
    const entries = parse(permissionRequest, request.body).data.map(({ attributes, relationships }) => ({
      bundleUuid: relationships.bundle.data.id,
      groupUuid: relationships.group.data.id,
      permission: readPermissionInput(attributes),
    }));
    await services.unitOfWork(async (unit) => {
      const uuids = entries.map((entry) => entry.bundleUuid);
      await lockBundles(unit, uuids);
      const rows = await requireBundles(unit.queries, viewer, uuids, 'all');
      const frozen = rows.find((row) => row.frozen_at !== null);
      if (frozen !== undefined) {
        throw new SheafError('frozen', `Cannot mutate frozen bundle ${frozen.uuid} (${frozen.name}).`);
      }
      const groups = await groupsByIds(
        unit.queries,
        entries.map((entry) => entry.groupUuid),
      );
      for (const { bundleUuid, groupUuid, permission } of entries) {
        if (!groups.has(groupUuid)) throw new SheafError('not-found', `Group ${groupUuid} not found`);
        if (permission === 0) {
          await unit.queries
            .deleteFrom('bundle_permission')
            .where('bundle_uuid', '=', bundleUuid)
            .where('group_uuid', '=', groupUuid)
            .execute();
          continue;
        }
        await unit.queries
          .insertInto('bundle_permission')
          .values({ bundle_uuid: bundleUuid, group_uuid: groupUuid, permission })
          .onConflict((conflict) =>
            conflict.columns(['bundle_uuid', 'group_uuid']).doUpdateSet({ permission }),
          )
          .execute();
      }
      unit.announce({ type: 'access.changed' });
    });
    const data = entries.map(({ groupUuid, permission, bundleUuid }) => ({
      type: 'bundle-permissions',
      id: `${bundleUuid}:${groupUuid}`,
      attributes: { permission, permission_spec: formatPermission(permission) },
      relationships: { group: { data: { type: 'groups', id: groupUuid } } },
    }));
    return sendJson(reply, { data });
  });
}
