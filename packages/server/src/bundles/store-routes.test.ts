import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBundle, viewBundle } from '../runs/testing/bundles.ts';
import { ask, setBundle, succeed } from '../testing/records.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';

const missing = `0x${'0'.repeat(31)}1`;

describe.each(databases)('stores and locations on %s', (database) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ database });
  });
  afterAll(() => server.close());

  const create = (attributes: Record<string, unknown>, as = 'root') =>
    ask(server, '/rest/bundle_stores', {
      as,
      method: 'POST',
      json: { data: [{ type: 'bundle_stores', attributes }] },
    });
  const remove = (uuid: string, as = 'root') =>
    ask(server, '/rest/bundle_stores', {
      as,
      method: 'DELETE',
      json: { data: [{ type: 'bundle_stores', id: uuid }] },
    });
  const locate = (uuid: string, store: string | null, query = '', as = 'maria') =>
    ask(server, `/rest/bundles/${uuid}/locations/?${query}`, {
      as,
      method: 'POST',
      json: {
        data: [{ type: 'bundle_locations', attributes: { bundle_uuid: uuid, bundle_store_uuid: store } }],
      },
    });

  it('registers, lists, shows and removes stores', async () => {
    const made = await create({
      name: 'cloud',
      storage_type: 'gcs',
      storage_format: null,
      url: 'gs://bucket',
    });
    const uuid = made.data[0]!.id;

    expect(made.data[0]?.attributes).toEqual({
      uuid,
      owner: 0,
      name: 'cloud',
      storage_type: 'gcs',
      storage_format: 'compressed_v1',
      url: 'gs://bucket',
    });
    expect((await create({ name: 'cloud', storage_type: 'disk' })).status).toBe(409);
    expect((await create({ name: 'x', storage_type: 'tape' })).status).toBe(400);
    expect((await create({ name: 'x', storage_type: 'disk' }, 'maria')).status).toBe(403);
    const listed = await succeed(server, '/rest/bundle_stores?include=uuid,storage_type,url&name=cloud', {
      as: 'maria',
    });
    expect(listed.data.map(({ id }) => id)).toEqual([uuid]);
    expect((await ask(server, '/rest/bundle_stores?name=none', { as: 'maria' })).status).toBe(400);
    expect(
      (await succeed(server, `/rest/bundle_stores/${uuid}`, { as: 'maria' })).data[0]?.attributes['owner'],
    ).toBe('root');
    expect((await ask(server, `/rest/bundle_stores/${missing}`, { as: 'maria' })).status).toBe(404);
    expect((await ask(server, '/rest/bundle_stores')).status).toBe(401);
    expect((await remove(uuid, 'maria')).status).toBe(404);
    expect(await remove(uuid)).toMatchObject({ status: 200, text: '' });
    expect(
      (await create({ name: 'cloud', storage_type: 'disk' })).data[0]?.attributes['storage_format'],
    ).toBe('uncompressed');
  });

  it('records each location once, keeps a store in use, and frees it with the bundle', async () => {
    const store = (await create({ name: 'shelf', storage_type: 'disk' })).data[0]!.id;
    const uuid = await createBundle(server, {
      as: 'maria',
      type: 'dataset',
      query: `bundle_store_uuid=${store}`,
    });

    const answer = await locate(uuid, store, 'need_bypass=1&is_dir=1');
    await locate(uuid, store);

    expect(answer.data[0]?.attributes).toEqual({
      bundle_uuid: uuid,
      bundle_store_uuid: store,
      bundle_conn_str: null,
      index_conn_str: null,
      bundle_url: null,
    });
    const { data } = await succeed(server, `/rest/bundles/${uuid}/locations/`, { as: 'maria' });
    expect(data).toEqual([
      {
        type: 'bundle_locations',
        id: store,
        attributes: {
          bundle_store_uuid: store,
          name: 'shelf',
          storage_type: 'disk',
          storage_format: 'uncompressed',
          url: null,
        },
      },
    ]);
    expect(
      (await succeed(server, `/rest/bundles/${uuid}/locations/${store}/`, { as: 'maria' })).data[0]?.id,
    ).toBe(store);
    expect((await ask(server, `/rest/bundles/${uuid}/locations/${missing}/`, { as: 'maria' })).status).toBe(
      404,
    );
    expect((await remove(store)).status).toBe(400);
    await succeed(server, '/rest/bundles', {
      as: 'maria',
      method: 'DELETE',
      json: { data: { type: 'bundles', id: uuid } },
    });
    expect((await remove(store)).status).toBe(200);
  });

  it('answers what `cl upload` asks where there is no store, with nulls', async () => {
    const uuid = await createBundle(server, { as: 'maria', type: 'dataset' });

    const answer = await locate(uuid, null, 'need_bypass=1&is_dir=0');

    expect(answer.status).toBe(200);
    expect(answer.data[0]?.attributes).toEqual({
      bundle_uuid: uuid,
      bundle_conn_str: null,
      index_conn_str: null,
      bundle_url: null,
    });
    expect((await locate(uuid, null)).data[0]?.attributes).toEqual({ bundle_uuid: uuid });
    expect((await locate(uuid, missing)).status).toBe(404);
    expect((await locate(uuid, null, '', 'jose')).status).toBe(403);
    expect((await locate(missing, null)).status).toBe(404);
  });

  it('shows no locations of what may not be read, without refusing', async () => {
    const uuid = await createBundle(server, { as: 'maria', type: 'dataset' });

    expect((await succeed(server, `/rest/bundles/${uuid}/locations/`, { as: 'jose' })).data).toEqual([]);
    expect((await ask(server, `/rest/bundles/locations?uuids=${uuid}`, { as: 'jose' })).status).toBe(403);
    expect((await ask(server, `/rest/bundles/${missing}/locations/`, { as: 'jose' })).status).toBe(404);
  });

  it('says where contents are', async () => {
    const linked = await createBundle(server, {
      as: 'maria',
      type: 'dataset',
      metadata: { link_url: '/data/x' },
    });
    const stored = await createBundle(server, { as: 'maria', type: 'dataset' });

    const response = await server.fetch(`/rest/bundles/locations?uuids=${linked}&uuids=${stored}`, {
      as: 'maria',
    });

    expect(await response.json()).toMatchObject({ data: { [linked]: '/data/x', [stored]: '' } });
  });

  it('takes the outcome of an upload past the server, within the quota', async () => {
    const finish = (uuid: string, query: string, as = 'maria') =>
      ask(server, `/rest/bundles/${uuid}/state?${query}`, { as, method: 'POST' });
    const [good, bad, large] = [
      await createBundle(server, { as: 'maria', type: 'dataset' }),
      await createBundle(server, { as: 'maria', type: 'dataset' }),
      await createBundle(server, { as: 'maria', type: 'dataset' }),
    ];
    await setBundle(server, large, { size: 2 ** 50 });

    expect((await finish(large, 'success=1')).text).toContain('disk quota exceeded');
    await setBundle(server, large, { size: 0 });
    expect((await finish(good, 'success=1', 'jose')).status).toBe(403);
    expect((await finish(good, 'success=1&state_on_success=sleeping')).status).toBe(400);
    expect((await finish(good, 'success=1')).data[0]?.attributes['state']).toBe('ready');
    expect((await finish(good, 'success=1')).status).toBe(403);
    expect((await finish(bad, 'success=0&error_msg=broke+off')).status).toBe(200);
    expect(await viewBundle(server, bad)).toMatchObject({
      state: 'failed',
      metadata: { failure_message: 'broke off' },
    });
  });

  it('answers size corrections with the bundle, to those who may', async () => {
    const uuid = await createBundle(server, { as: 'maria', type: 'dataset' });
    const correct = (as?: string) =>
      ask(server, `/rest/bundles/${uuid}/contents/filesize/`, {
        ...(as === undefined ? {} : { as }),
        method: 'PATCH',
        json: { data: [{ type: 'contents', attributes: { filesize: 5 } }] },
      });

    expect((await correct('maria')).data[0]?.id).toBe(uuid);
    expect((await correct('jose')).status).toBe(403);
    expect((await correct()).status).toBe(401);
  });
});
