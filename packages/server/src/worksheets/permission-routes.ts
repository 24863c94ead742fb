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
import { findWorksheet, refuseFrozenWorksheet, requireWorksheet } from './access.ts';

const permissionRequest = z.object({
  data: z
    .array(
      z.object({
        attributes: permissionInput,
        relationships: z.object({
          worksheet: z.object({ data: linkage }),
          group: z.object({ data: linkage }),
        }),
      }),
    )
    .min(1),
});

/** `POST /rest/worksheet-permissions` (worksheets.md §9.10): all or nothing; `none` removes. */
export function registerWorksheetPermissionRoutes(app: FastifyInstance, services: Services): void {
  app.post(
    '/rest/worksheet-permissions',
    { config: { access: 'user-with-access' } },
    async (request, reply) => {
      const viewer = requireUser(request);
      const entries = parse(permissionRequest, request.body).data.map(({ attributes, relationships }) => ({
        worksheetUuid: relationships.worksheet.data.id,
        groupUuid: relationships.group.data.id,
        permission: readPermissionInput(attributes),
      }));
      await services.unitOfWork(async (unit) => {
        const groups = await groupsByIds(
          unit.queries,
          entries.map((entry) => entry.groupUuid),
        );
        for (const { worksheetUuid, groupUuid, permission } of entries) {
          const worksheet = await findWorksheet(unit.queries, worksheetUuid);
          if (worksheet !== undefined) refuseFrozenWorksheet(worksheet);
          await requireWorksheet(unit.queries, viewer, worksheetUuid, 'all');
          if (!groups.has(groupUuid)) throw new SheafError('not-found', `Group ${groupUuid} not found`);
          if (permission === 0) {
            await unit.queries
              .deleteFrom('worksheet_permission')
              .where('worksheet_uuid', '=', worksheetUuid)
              .where('group_uuid', '=', groupUuid)
              .execute();
            continue;
          }
          await unit.queries
            .insertInto('worksheet_permission')
            .values({ worksheet_uuid: worksheetUuid, group_uuid: groupUuid, permission })
            .onConflict((conflict) =>
              conflict.columns(['worksheet_uuid', 'group_uuid']).doUpdateSet({ permission }),
            )
            .execute();
        }
      });
      const data = entries.map(({ worksheetUuid, groupUuid, permission }) => ({
        type: 'worksheet-permissions',
        id: `${worksheetUuid}:${groupUuid}`,
        attributes: { permission, permission_spec: formatPermission(permission) },
        relationships: { group: { data: { type: 'groups', id: groupUuid } } },
      }));
      return sendJson(reply, { data });
    },
  );
}
