/* New in Sheaf: what a run uses and has used, second by second. */
import type { FastifyInstance } from 'fastify';
import { requireBundle } from '../../bundles/access.ts';
import type { UuidRoute } from '../../bundles/fetch-routes.ts';
import { sendJson } from '../../http/json.ts';
import { queryOf } from '../../http/query.ts';
import type { Services } from '../../services.ts';
import { readStatistics } from './read.ts';

export function registerStatisticsRoutes(app: FastifyInstance, services: Services): void {
  const { queries } = services.database;
  const config = { access: 'public-unless-protected' } as const;

  app.get<UuidRoute>('/rest/bundles/:uuid/statistics', { config }, async (request, reply) => {
    const after = queryOf(request).integer('after') ?? 0;
    const bundle = await requireBundle(queries, request.viewer, request.params.uuid, 'read');
    return sendJson(reply, { data: await readStatistics(queries, bundle.uuid, after) });
  });
}
