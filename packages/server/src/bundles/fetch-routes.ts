import { SheafError } from '@sheaf/wire';
import type { FastifyInstance } from 'fastify';
import { sendJson } from '../http/json.ts';
import { queryOf } from '../http/query.ts';
import type { Services } from '../services.ts';
import { existingBundles } from './access.ts';
import { withDescendants } from './descendants.ts';
import { bundlesDocument, fetchOptions } from './document.ts';
import { parseMemoization, sameBundles } from './memoization.ts';
import { resolveBundleSpecs } from './specs.ts';
import { searchBundles } from './search/search.ts';

export interface UuidRoute {
  Params: { uuid: string };
}

export function registerFetchRoutes(app: FastifyInstance, services: Services): void {
  const { queries } = services.database;
  const config = { access: 'public-unless-protected' } as const;

  app.get<UuidRoute>('/rest/bundles/:uuid', { config }, async (request, reply) => {
    const options = fetchOptions(queryOf(request));
    const rows = await existingBundles(queries, [request.params.uuid]);
    const { data, ...rest } = await bundlesDocument(services, request.viewer, rows, options);
    return sendJson(reply, { data: data[0], ...rest });
  });

  app.get('/rest/bundles', { config }, async (request, reply) => {
    const { viewer } = request;
    const query = queryOf(request);
    const options = fetchOptions(query);
    const depth = query.integer('depth');
    let selected: string[];
    if (query.has('keywords')) {
      const found = await searchBundles(services, viewer, query.list('keywords'));
      if (found.kind === 'value') return sendJson(reply, { meta: { result: found.value } });
      selected = found.uuids;
    } else if (query.has('specs')) {
      selected = await resolveBundleSpecs(queries, viewer, query.list('specs'), query.given('worksheet'));
    } else if (query.has('command')) {
      selected = await sameBundles(queries, viewer, parseMemoization(query));
    } else {
      throw new SheafError('invalid-request', 'Ask for bundles with keywords, specs or command.');
    }
    const uuids = depth === undefined ? selected : await withDescendants(queries, selected, depth);
    const rows = await existingBundles(queries, uuids);
    return sendJson(reply, await bundlesDocument(services, viewer, rows, options));
  });
}
