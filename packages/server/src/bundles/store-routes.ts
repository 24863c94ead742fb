/* `/rest/bundle_stores` (rest-api.md §17.1). */
import { identifierList, SheafError, type Resource } from '@sheaf/wire';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { findUser } from '../accounts/users.ts';
import { sendJson, sendNothing } from '../http/json.ts';
import { parse } from '../http/parse.ts';
import { queryOf } from '../http/query.ts';
import { requireUser } from '../http/viewer.ts';
import type { Services } from '../services.ts';
import type { UuidRoute } from './fetch-routes.ts';
import {
  createStore,
  deleteStore,
  findStore,
  requireStoreByName,
  storageFormat,
  storeNotFound,
  storesFor,
  type StoreRow,
} from './stores.ts';

const storeRequest = z.object({
  data: z
    .array(
      z.object({
        type: z.literal('bundle_stores'),
        attributes: z.object({
          name: z.string().min(1).max(255),
          storage_type: z.string(),
          storage_format: z.string().nullish(),
          url: z.string().nullish(),
          authentication: z.string().nullish(),
        }),
      }),
    )
    .min(1),
});

export function registerStoreRoutes(app: FastifyInstance, services: Services): void {
  const { queries } = services.database;
  const config = { access: 'user-with-access' } as const;

  app.get('/rest/bundle_stores', { config }, async (request, reply) => {
    const viewer = requireUser(request);
    const name = queryOf(request).given('name');
    const stores =
      name === undefined
        ? await storesFor(queries, viewer.id)
        : [await requireStoreByName(queries, viewer.id, name)];
    return sendJson(reply, { data: stores.map((store) => storeResource(store)) });
  });

  app.get<UuidRoute>('/rest/bundle_stores/:uuid', { config }, async (request, reply) => {
    requireUser(request);
    const store = await findStore(queries, request.params.uuid);
    if (store === undefined) throw storeNotFound(request.params.uuid);
    const owner = await findUser(queries, store.owner_id);
    return sendJson(reply, { data: storeResource(store, owner?.name) });
  });

  app.post('/rest/bundle_stores', { config }, async (request, reply) => {
    const viewer = requireUser(request);
    if (!viewer.isRoot)
      throw new SheafError('permission-denied', 'Only the administrator creates bundle stores.');
    const { data } = parse(storeRequest, request.body);
    const stores = data.map(({ attributes }) => ({
      uuid: services.ids.uuid(),
      owner_id: viewer.id,
      name: attributes.name,
      storage_type: attributes.storage_type,
      storage_format: storageFormat(attributes.storage_type, attributes.storage_format ?? null),
      url: attributes.url ?? null,
      authentication: attributes.authentication ?? null,
      created_at: services.clock.now(),
    }));
    await services.unitOfWork(async (unit) => {
      for (const store of stores) await createStore(unit, store);
    });
    return sendJson(reply, { data: stores.map((store) => storeResource(store)) });
  });

  app.delete('/rest/bundle_stores', { config }, async (request, reply) => {
    const viewer = requireUser(request);
    const { data } = parse(identifierList, request.body);
    await services.unitOfWork(async (unit) => {
      for (const { id } of data) await deleteStore(unit, viewer.id, id);
    });
    return sendNothing(reply);
  });
}

/** `owner` is the number of the owner, absent where the id is none, or the name where that is asked for. */
function storeResource(store: StoreRow, ownerName?: string): Resource<Record<string, unknown>> {
  const { uuid, name, storage_type, storage_format, url } = store;
  const number = /^\d+$/.test(store.owner_id) ? Number(store.owner_id) : undefined;
  const owner = ownerName ?? number;
  return {
    type: 'bundle_stores',
    id: uuid,
    attributes: { uuid, ...(owner === undefined ? {} : { owner }), name, storage_type, storage_format, url },
  };
}
