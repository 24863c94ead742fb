/* `/rest/bundles/…/locations/` (rest-api.md §17.2), as a server without cloud stores answers it. */
import { SheafError, type Resource } from '@sheaf/wire';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { sendJson } from '../http/json.ts';
import { parse } from '../http/parse.ts';
import { queryOf } from '../http/query.ts';
import { requireUser } from '../http/viewer.ts';
import type { Services } from '../services.ts';
import { permissionOn, requireBundle, requireBundles, existingBundles } from './access.ts';
import type { UuidRoute } from './fetch-routes.ts';
import { addLocation, locationsOf, type Location } from './locations.ts';
import { storedMetadata } from './row.ts';
import type { BundleRow } from './transition.ts';

const locationRequest = z.object({
  data: z
    .array(
      z.object({
        attributes: z.object({ bundle_uuid: z.string().nullish(), bundle_store_uuid: z.string().nullish() }),
      }),
    )
    .min(1),
});

export function registerLocationRoutes(app: FastifyInstance, services: Services): void {
  const { queries } = services.database;
  const config = { access: 'user-with-access' } as const;

  app.get('/rest/bundles/locations', { config }, async (request, reply) => {
    const uuids = queryOf(request).list('uuids');
    const rows = await requireBundles(queries, request.viewer, uuids, 'read');
    const data: Record<string, string> = {};
    for (const row of rows) data[row.uuid] = placeOf(row, await locationsOf(queries, row.uuid));
    return sendJson(reply, { data });
  });

  app.get<UuidRoute>('/rest/bundles/:uuid/locations/', { config }, async (request, reply) => {
    const [bundle] = await existingBundles(queries, [request.params.uuid]);
    const isReadable = bundle !== undefined && (await permissionOn(queries, request.viewer, bundle)) > 0;
    // Empty instead of refused: `cl info` asks this about masked bundles too.
    const locations = isReadable ? await locationsOf(queries, bundle.uuid) : [];
    return sendJson(reply, { data: locations.map(locationResource) });
  });

  app.get<{ Params: { uuid: string; store: string } }>(
    '/rest/bundles/:uuid/locations/:store/',
    { config },
    async (request, reply) => {
      const { uuid, store } = request.params;
      const bundle = await requireBundle(queries, request.viewer, uuid, 'read');
      const location = (await locationsOf(queries, bundle.uuid)).find(
        (candidate) => candidate.uuid === store,
      );
      if (location === undefined)
        throw new SheafError('not-found', `Bundle ${uuid} is not on store ${store}`);
      return sendJson(reply, { data: locationResource(location) });
    },
  );

  app.post<UuidRoute>('/rest/bundles/:uuid/locations/', { config }, async (request, reply) => {
    const query = queryOf(request);
    const needBypass = query.flag('need_bypass', false);
    const isDirectory = query.flag('is_dir', false);
    const bundle = await requireBundle(queries, requireUser(request), request.params.uuid, 'all');
    const [first] = parse(locationRequest, request.body).data;
    const store = first?.attributes.bundle_store_uuid ?? undefined;
    if (store !== undefined) {
      await services.unitOfWork((unit) => addLocation(unit, { bundle: bundle.uuid, store, isDirectory }));
    }
    // No way around the server: null connection strings make the client upload through it.
    const bypass = { bundle_conn_str: null, index_conn_str: null, bundle_url: null };
    const attributes = {
      bundle_uuid: bundle.uuid,
      ...(store === undefined ? {} : { bundle_store_uuid: store }),
      ...(needBypass ? bypass : {}),
    };
    return sendJson(reply, { data: [{ type: 'bundle_locations', id: store ?? null, attributes }] });
  });
}

function locationResource(location: Location): Resource<Record<string, unknown>> {
  const { uuid, name, storage_type, storage_format, url } = location;
  return {
    type: 'bundle_locations',
    id: uuid,
    attributes: { bundle_store_uuid: uuid, name, storage_type, storage_format, url },
  };
}

/** Where the contents are: a linked path, a store's address, or their digest in the built-in store. */
function placeOf(row: BundleRow, locations: readonly Location[]): string {
  const linkUrl = storedMetadata(row)['link_url'];
  if (typeof linkUrl === 'string' && linkUrl !== '') return linkUrl;
  const url = locations.find((location) => location.url !== null)?.url;
  return url ?? (row.contents_digest === null ? '' : `sha256:${row.contents_digest}`);
}
