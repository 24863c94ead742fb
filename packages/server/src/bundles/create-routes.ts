import { bundleCreateRequest, SheafError } from '@sheaf/wire';
import type { FastifyInstance } from 'fastify';
import { sendJson } from '../http/json.ts';
import { parse } from '../http/parse.ts';
import { queryOf, type Query } from '../http/query.ts';
import { requireUser } from '../http/viewer.ts';
import type { Services } from '../services.ts';
import { createBundles } from './create.ts';
import { bundlesDocument, plainFetch } from './document.ts';
import type { Placement } from './placement.ts';

export function registerCreateRoutes(app: FastifyInstance, services: Services): void {
  app.post('/rest/bundles', { config: { access: 'user-with-access' } }, async (request, reply) => {
    const viewer = requireUser(request);
    const query = queryOf(request);
    const worksheetUuid = worksheetOf(query);
    const { data } = parse(bundleCreateRequest, request.body);
    const rows = await createBundles(services, viewer, {
      inputs: data,
      worksheetUuid,
      placement: placementOf(query),
      waitForUpload: query.flag('wait_for_upload', false),
      // The second name is what `cl make --store` sends (rest-api.md §13).
      storeUuid: query.given('bundle_store') ?? query.given('bundle_store_uuid'),
    });
    return sendJson(reply, await bundlesDocument(services, viewer, rows, plainFetch));
  });
}

function worksheetOf(query: Query): string | null {
  if (query.flag('detached', false)) return null;
  const worksheet = query.given('worksheet');
  if (worksheet === undefined) {
    throw new SheafError('invalid-request', 'Name the parent worksheet, or create the bundle detached.');
  }
  return worksheet;
}

function placementOf(query: Query): Placement {
  const afterImage = query.flag('after_image', false);
  const bundleUuid = query.given('shadow');
  if (bundleUuid !== undefined) return { kind: 'shadow', bundleUuid };
  const sortKey = query.given('after_sort_key') === undefined ? undefined : query.integer('after_sort_key');
  return sortKey === undefined ? { kind: 'append', afterImage } : { kind: 'after', sortKey, afterImage };
}
