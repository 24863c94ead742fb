/* `/rest/interpret/…` (worksheets.md §10): a worksheet as it is meant to be read. */
import { formatPermission } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { usersByIds } from '../../accounts/users.ts';
import { searchBundles } from '../../bundles/search/search.ts';
import { hangUpSignal } from '../../http/hang-up.ts';
import { sendJson } from '../../http/json.ts';
import { parse } from '../../http/parse.ts';
import type { Execution } from '../../runs/execution.ts';
import type { Services } from '../../services.ts';
import { requireWorksheet, worksheetPermissions } from '../access.ts';
import { worksheetGrants } from '../grants.ts';
import { isMasked, visibleOwner } from '../resource.ts';
import { searchWorksheets } from '../search.ts';
import { FileReader, resolveBlock, resolveRows } from './files.ts';
import { interpret } from './interpret.ts';
import { naiveInstant, readSource } from './source.ts';

const fileQueries = z.object({
  queries: z.array(z.object({ bundle_uuid: z.string(), genpath: z.string(), post: z.string().nullable() })),
});
const tableRows = z.object({ contents: z.array(z.record(z.string(), z.unknown())) });
const searchRequest = z.object({ keywords: z.array(z.string(), { error: 'Missing `keywords`' }) });

export function registerInterpretRoutes(
  app: FastifyInstance,
  services: Services,
  execution: Execution,
): void {
  const { queries } = services.database;
  const config = { access: 'public-unless-protected' } as const;
  const filesOf = (request: FastifyRequest, reply: FastifyReply) =>
    new FileReader({ services, execution, viewer: request.viewer, signal: hangUpSignal(reply) });

  app.get<{ Params: { uuid: string } }>(
    '/rest/interpret/worksheet/:uuid',
    { config },
    async (request, reply) => {
      const { viewer } = request;
      const row = await requireWorksheet(queries, viewer, request.params.uuid, 'read');
      const permission = (await worksheetPermissions(queries, viewer, [row])).get(row.uuid) ?? 0;
      const { lines, items } = await readSource(services, viewer, row.uuid);
      const { blocks, places } = interpret(items, lines.length);
      const files = filesOf(request, reply);
      const view = { row, permission };
      const ownerId = visibleOwner(view);
      const owner = ownerId === null ? undefined : (await usersByIds(queries, [ownerId])).get(ownerId);
      const grants = isMasked(view) ? [] : await worksheetGrants(queries, viewer, [row.uuid]);
      return sendJson(reply, {
        uuid: row.uuid,
        name: row.name,
        title: row.title,
        frozen: row.frozen_at === null ? null : naiveInstant(row.frozen_at),
        is_anonymous: row.is_anonymous !== 0,
        date_created: naiveInstant(row.created_at),
        date_last_modified: naiveInstant(row.changed_at),
        tags: JSON.parse(row.tags) as string[],
        last_item_id: items.reduce((most, item) => ('id' in item ? Math.max(most, item.id ?? -1) : most), -1),
        owner_id: ownerId,
        owner_name: owner?.name ?? null,
        permission,
        permission_spec: formatPermission(permission),
        edit_permission: permission === 2,
        group_permissions: grants.map(({ id, group_uuid, group_name, permission: granted }) => ({
          id,
          group_uuid,
          group_name,
          permission: granted,
          permission_spec: formatPermission(granted),
        })),
        enable_chat: false,
        source: lines,
        blocks: await Promise.all(blocks.map((block) => resolveBlock(files, block))),
        raw_to_block: places.map(
          (place, line) => place ?? places.slice(line).find((next) => next !== null) ?? null,
        ),
        block_to_raw: Object.fromEntries(
          places.flatMap((place, line) => (place === null ? [] : [[place.join(','), line]])),
        ),
      });
    },
  );

  app.post('/rest/interpret/genpath-table-contents', { config }, async (request, reply) => {
    const { contents } = parse(tableRows, request.body);
    return sendJson(reply, { contents: await resolveRows(filesOf(request, reply), contents) });
  });

  app.post('/rest/interpret/file-genpaths', { config }, async (request, reply) => {
    const asked = parse(fileQueries, request.body).queries;
    const wrong = asked.find(({ genpath }) => !genpath.startsWith('/'));
    if (wrong !== undefined) throw new SheafError('invalid-request', `Not file genpath: ${wrong.genpath}`);
    const files = filesOf(request, reply);
    const data = await Promise.all(
      asked.map(({ bundle_uuid, genpath, post }) => files.cell([bundle_uuid, genpath, post])),
    );
    return sendJson(reply, { data });
  });

  app.post('/rest/interpret/search', { config }, async (request, reply) => {
    const { keywords } = parse(searchRequest, request.body);
    const found = await searchBundles(services, request.viewer, keywords);
    const response =
      found.kind === 'bundles'
        ? { result: found.uuids, is_aggregate: false }
        : { result: found.value, is_aggregate: true };
    return sendJson(reply, { response });
  });

  app.post('/rest/interpret/wsearch', { config }, async (request, reply) => {
    const { keywords } = parse(searchRequest, request.body);
    const { viewer } = request;
    const rows = await searchWorksheets(services, viewer, keywords);
    const permissions = await worksheetPermissions(queries, viewer, rows);
    const views = rows.map((row) => ({ row, permission: permissions.get(row.uuid) ?? 0 }));
    const owners = await usersByIds(
      queries,
      views.map(visibleOwner).filter((id) => id !== null),
    );
    const grants = await worksheetGrants(
      queries,
      viewer,
      rows.map((row) => row.uuid),
    );
    const response = views.map((view) => ({
      id: view.row.id,
      uuid: view.row.uuid,
      name: view.row.name,
      title: view.row.title,
      frozen: view.row.frozen_at === null ? null : naiveInstant(view.row.frozen_at),
      owner_id: visibleOwner(view),
      owner_name: owners.get(visibleOwner(view) ?? '')?.name ?? null,
      date_last_modified: naiveInstant(view.row.changed_at),
      group_permissions: isMasked(view)
        ? []
        : grants
            .filter((grant) => grant.worksheet_uuid === view.row.uuid)
            .map(({ id, group_uuid, group_name, permission }) => ({
              id,
              group_uuid,
              group_name,
              permission,
            })),
    }));
    return sendJson(reply, { response });
  });
}
