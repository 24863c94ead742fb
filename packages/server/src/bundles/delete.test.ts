import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBundle, viewBundle } from '../runs/testing/bundles.ts';
import { ask, makeWorksheet, setBundle, succeed } from '../testing/records.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';

const missing = `0x${'0'.repeat(31)}1`;

describe.each(databases)('deleting bundles on %s', (database) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ database });
  });
  afterAll(() => server.close());

  const remove = (uuids: string[], query = '', as = 'maria') =>
    ask(server, `/rest/bundles?force=0&recursive=0&data-only=0&dry-run=0&${query}`, {
      as,
      method: 'DELETE',
      json: { data: uuids.map((id) => ({ type: 'bundles', id })) },
    });
  const make = (name: string, parents: string[] = [], more: Parameters<typeof createBundle>[1] = {}) =>
    createBundle(server, {
      as: 'maria',
      type: parents.length === 0 ? 'dataset' : 'make',
      dependencies: parents.map((parent_uuid, index) => ({ child_path: `p${index}`, parent_uuid })),
      ...more,
      metadata: { name },
    });
  const exists = async (uuid: string) => (await ask(server, `/rest/bundles/${uuid}`)).status === 200;
  const used = async (as = 'maria') =>
    (await succeed(server, '/rest/user', { as })).data[0]?.attributes['disk_used'];
  const item = (uuid: string) => ({
    type: 'worksheet-items',
    attributes: { type: 'bundle' },
    relationships: { worksheet: { data: null }, bundle: { data: { type: 'bundles', id: uuid } } },
  });
  const place = (sheet: string, uuids: string[]) =>
    succeed(server, `/rest/worksheet-items?uuid=${sheet}`, {
      as: 'maria',
      method: 'POST',
      json: { data: uuids.map(item) },
    });

  it('takes everything that belongs to a bundle, and gives the room back at once', async () => {
    const sheet = await makeWorksheet(server, 'maria', 'one');
    const uuid = await make('gone');
    await setBundle(server, uuid, { state: 'ready', size: 4096 });
    await place(sheet, [uuid, uuid]);
    const told: string[] = [];
    const stop = server.services.events.on('bundle.deleted', (event) => told.push(event.uuid));

    const answer = await remove([uuid]);
    stop();

    expect(answer.meta['ids']).toEqual([uuid]);
    expect(await exists(uuid)).toBe(false);
    expect(
      (await succeed(server, `/rest/worksheets/${sheet}?include=items`, { as: 'maria' })).included,
    ).toEqual([]);
    expect(await used()).toBe(0);
    expect(told).toEqual([uuid]);
  });

  it('protects what others depend on, unless forced or recursive', async () => {
    const parent = await make('parent');
    const child = await make('child', [parent]);
    const grandchild = await make('grandchild', [child]);

    const refused = await remove([parent]);

    expect(refused.status).toBe(400);
    expect(refused.text).toContain(`child(${child})`);
    expect(refused.text).toContain(`grandchild(${grandchild})`);
    expect((await remove([parent], 'recursive=1&dry-run=1')).meta['ids']).toEqual([
      parent,
      child,
      grandchild,
    ]);
    expect(await exists(parent)).toBe(true);
    expect((await remove([parent, child, grandchild])).status).toBe(200);
    expect(await exists(grandchild)).toBe(false);
  });

  it('leaves the links of children to a forced deletion in place', async () => {
    const [one, other] = [await make('one'), await make('other')];
    const child = await make('child', [one, other]);

    expect((await remove([one], 'force=1')).status).toBe(200);

    const { data } = await succeed(server, `/rest/bundles/${child}`, { as: 'maria' });
    expect(data[0]?.attributes['dependencies']).toMatchObject([
      { parent_uuid: one, parent_name: null },
      { parent_uuid: other, parent_name: 'other' },
    ]);
    expect((await remove([other], 'recursive=1')).meta['ids']).toEqual([other, child]);
  });

  it.each(['making', 'starting', 'preparing', 'running', 'finalizing'])(
    'refuses bundles that are %s, descendants too',
    async (state) => {
      const parent = await make('parent');
      const child = await make('child', [parent]);
      await setBundle(server, child, { state });

      expect((await remove([child])).status).toBe(400);
      expect((await remove([parent], 'recursive=1&force=1')).status).toBe(400);
      expect(await exists(parent)).toBe(true);
      await setBundle(server, child, { state: 'failed' });
      expect((await remove([parent], 'recursive=1')).status).toBe(200);
    },
  );

  it('refuses what is on several worksheets, unless forced, and on a frozen one always', async () => {
    const [one, two] = [
      await makeWorksheet(server, 'maria', 'two'),
      await makeWorksheet(server, 'maria', 'three'),
    ];
    const uuid = await make('shared');
    await place(one, [uuid]);
    await place(two, [uuid]);

    expect((await remove([uuid])).status).toBe(400);
    const freeze = (frozen: string | null) =>
      succeed(server, '/rest/worksheets', {
        as: 'maria',
        method: 'PATCH',
        json: { data: [{ type: 'worksheets', id: one, attributes: { frozen } }] },
      });
    await freeze('2031-01-01');
    const frozen = await remove([uuid], 'force=1');
    expect(frozen.status).toBe(400);
    expect(frozen.text).toContain(uuid);
    await freeze(null);
    expect((await remove([uuid], 'force=1&dry-run=1')).status).toBe(200);
    expect((await remove([uuid], 'force=1')).status).toBe(200);
  });

  it('asks for everything on all of them, and changes nothing otherwise', async () => {
    const [mine, theirs] = [await make('mine'), await make('theirs', [], { as: 'jose' })];

    expect((await remove([mine, theirs])).status).toBe(403);
    expect((await remove([mine, missing])).status).toBe(404);
    expect((await ask(server, '/rest/bundles', { method: 'DELETE', json: { data: [] } })).status).toBe(401);
    expect(await exists(mine)).toBe(true);
    expect(
      (
        await ask(server, '/rest/bundles', {
          as: 'maria',
          method: 'DELETE',
          json: { data: [{ type: 'users', id: mine }] },
        })
      ).status,
    ).toBe(400);
    expect((await remove([mine], 'force=x')).status).toBe(400);
  });

  it('removes only the contents where asked to', async () => {
    const uuid = await make('emptied');
    await setBundle(server, uuid, { state: 'ready', size: 77 });
    await server.services.database.queries
      .updateTable('bundle')
      .set({ contents_digest: 'f'.repeat(64) })
      .where('uuid', '=', uuid)
      .execute();

    expect((await remove([uuid], 'data-only=1')).meta['ids']).toEqual([uuid]);

    const { data } = await succeed(server, `/rest/bundles/${uuid}`, { as: 'maria' });
    expect(data[0]?.attributes).toMatchObject({
      state: 'ready',
      contents_digest: null,
      metadata: { data_size: 0 },
    });
    expect(await used()).toBe(0);
  });

  it('gives every owner his room back', async () => {
    const theirs = await make('theirs', [], { as: 'jose' });
    await setBundle(server, theirs, { state: 'ready', size: 10 });
    await server.services.database.queries
      .updateTable('user')
      .set({ disk_used: 10 })
      .where('name', '=', 'jose')
      .execute();

    await remove([theirs], '', 'root');

    expect(await used('jose')).toBe(0);
  });

  it('takes a single link instead of a list', async () => {
    const uuid = await make('single');

    await succeed(server, '/rest/bundles', {
      as: 'maria',
      method: 'DELETE',
      json: { data: { type: 'bundles', id: uuid } },
    });

    expect(await exists(uuid)).toBe(false);
  });

  it('reports a run that is gone as gone to who watches it', async () => {
    const uuid = await make('watched');
    const { state } = await viewBundle(server, uuid);
    expect(state).toBe('uploading');
    const waiting = ask(server, `/rest/bundles/${uuid}/changes?after=99&timeout=60`, { as: 'maria' });
    await remove([uuid]);

    expect((await waiting).status).toBe(404);
  });
});
