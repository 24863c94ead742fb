/* `/rest/worksheets` and `/rest/worksheet-items` (worksheets.md §9). */
import { isUuid } from '@sheaf/domain';
import { identifierList, SheafError } from '@sheaf/wire';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { sendJson, sendNothing } from '../http/json.ts';
import { parse } from '../http/parse.ts';
import { queryOf } from '../http/query.ts';
import { requireUser } from '../http/viewer.ts';
import type { Execution } from '../runs/execution.ts';
import type { Services } from '../services.ts';
import { findWorksheets, type WorksheetRow } from './access.ts';
import { createWorksheet } from './create.ts';
import { worksheetDocument, worksheetsDocument } from './fetch.ts';
import { worksheetIncludes } from './include.ts';
import { addItemsRequest, addResourceItems, changeItems, itemsRequest } from './item-changes.ts';
import { registerInterpretRoutes } from './interpret/routes.ts';
import { registerWorksheetPermissionRoutes } from './permission-routes.ts';
import { resolveOrCreate } from './resolve-or-create.ts';
import { itemResource } from './resource.ts';
import { searchWorksheets } from './search.ts';
import { registerRawRoutes } from './text/routes.ts';
import { deleteWorksheet, updateWorksheet, worksheetPatch } from './update.ts';

const newWorksheets = z.object({
  data: z.array(z.object({ attributes: z.object({ name: z.string().max(255) }) })).min(1),
});

interface UuidRoute {
  Params: { uuid: string };
}

export function registerWorksheetRoutes(
  app: FastifyInstance,
  services: Services,
  execution: Execution,
): void {
  const { queries } = services.database;
  const { clock } = services;
  const open = { access: 'public-unless-protected' } as const;
  const signedIn = { access: 'user-with-access' } as const;
  registerWorksheetPermissionRoutes(app, services);
  registerInterpretRoutes(app, services, execution);
  registerRawRoutes(app, services);

  app.get<UuidRoute>('/rest/worksheets/:uuid', { config: open }, async (request, reply) => {
    const include = queryOf(request).include(worksheetIncludes);
    return sendJson(reply, await worksheetDocument(services, request.viewer, request.params.uuid, include));
  });

  app.get('/rest/worksheets', { config: open }, async (request, reply) => {
    const query = queryOf(request);
    const include = query.include(['owner', 'group_permissions']);
    const rows = query.has('specs')
      ? await resolved(query.list('specs'), query.given('base'))
      : await searchWorksheets(services, request.viewer, query.list('keywords'));
    return sendJson(reply, await worksheetsDocument(queries, request.viewer, rows, include));

    async function resolved(specs: readonly string[], base: string | undefined): Promise<WorksheetRow[]> {
      const uuids: string[] = [];
      for (const spec of specs) uuids.push(await resolveOrCreate(services, request.viewer, spec, base));
      const found = new Map((await findWorksheets(queries, uuids)).map((row) => [row.uuid, row]));
      return uuids.map((uuid) => found.get(uuid)).filter((row) => row !== undefined);
    }
  });

  app.post('/rest/worksheets', { config: signedIn }, async (request, reply) => {
    const viewer = requireUser(request);
    const names = parse(newWorksheets, request.body).data.map(({ attributes }) => attributes.name);
    const rows = await services.unitOfWork(async (unit) => {
      const created: WorksheetRow[] = [];
      for (const name of names) created.push(await createWorksheet(unit, viewer, name, services));
      return created;
    });
    return sendJson(reply, await worksheetsDocument(queries, viewer, rows, new Set()));
  });

  app.patch('/rest/worksheets', { config: signedIn }, async (request, reply) => {
    const viewer = requireUser(request);
    const patches = parse(worksheetPatch, request.body).data;
    const rows = await services.unitOfWork(async (unit) => {
      const changed: WorksheetRow[] = [];
      for (const patch of patches) changed.push(await updateWorksheet(unit, viewer, patch, clock.now()));
      return changed;
    });
    return sendJson(reply, await worksheetsDocument(queries, viewer, rows, new Set()));
  });

  app.delete('/rest/worksheets', { config: signedIn }, async (request, reply) => {
    const viewer = requireUser(request);
    const force = queryOf(request).flag('force', false);
    const links = parse(identifierList, request.body).data;
    if (links.some((link) => link.type !== 'worksheets')) {
      throw new SheafError('invalid-request', "type must be 'worksheets'");
    }
    await services.unitOfWork(async (unit) => {
      for (const { id } of links) await deleteWorksheet(unit, viewer, id, force, clock.now());
    });
    return sendNothing(reply);
  });

  app.post<UuidRoute>('/rest/worksheets/:uuid/add-items', { config: signedIn }, async (request, reply) => {
    const viewer = requireUser(request);
    const changes = parse(addItemsRequest, request.body);
    await services.unitOfWork((unit) => changeItems(unit, viewer, request.params.uuid, changes, clock.now()));
    return sendNothing(reply);
  });

  app.post('/rest/worksheet-items', { config: signedIn }, async (request, reply) => {
    const viewer = requireUser(request);
    const query = queryOf(request);
    const replace = query.flag('replace', false);
    const worksheetUuid = query.given('uuid') ?? '';
    if (!isUuid(worksheetUuid)) {
      throw new SheafError('not-found', `Could not find worksheet with uuid ${worksheetUuid}`);
    }
    const items = parse(itemsRequest, request.body).data;
    const rows = await services.unitOfWork((unit) =>
      addResourceItems(unit, viewer, { worksheetUuid, items, replace, now: clock.now() }),
    );
    return sendJson(reply, { data: rows.map(itemResource) });
  });
}
