import { bundlePatchRequest, identifierList, SheafError } from '@sheaf/wire';
import type { FastifyInstance } from 'fastify';
import { removeContents } from '../contents/removal.ts';
import { sendJson } from '../http/json.ts';
import { parse } from '../http/parse.ts';
import { queryOf } from '../http/query.ts';
import { requireUser } from '../http/viewer.ts';
import type { Services } from '../services.ts';
import { deleteBundles } from './delete.ts';
import { bundlesDocument, plainFetch } from './document.ts';
import { updateBundles } from './update.ts';

export function registerChangeRoutes(app: FastifyInstance, services: Services): void {
  const config = { access: 'user-with-access' } as const;

  app.patch('/rest/bundles', { config }, async (request, reply) => {
    const viewer = requireUser(request);
    const { data } = parse(bundlePatchRequest, request.body);
    const rows = await updateBundles(services, viewer, data);
    return sendJson(reply, await bundlesDocument(services, viewer, rows, plainFetch));
  });

  app.delete('/rest/bundles', { config }, async (request, reply) => {
    const viewer = requireUser(request);
    const query = queryOf(request);
    const options = {
      force: query.flag('force', false),
      recursive: query.flag('recursive', false),
      dataOnly: query.flag('data-only', false),
      dryRun: query.flag('dry-run', false),
    };
    const { data } = parse(identifierList, request.body);
    const wrong = data.find((link) => link.type !== 'bundles');
    if (wrong !== undefined) throw new SheafError('invalid-request', "type must be 'bundles'");
    const uuids = data.map((link) => link.id);
    const ids = await deleteBundles(services, viewer, uuids, options);
    if (!options.dryRun) removeContents(services, ids);
    return sendJson(reply, { meta: { ids } });
  });
}
