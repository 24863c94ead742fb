import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBundle, until, untilState } from '../runs/testing/bundles.ts';
import { ask, setBundle, succeed } from '../testing/records.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';

interface Change {
  data: { uuid: string; version: number; state: string; state_details: string | null; details_tag: string };
}

describe.each(databases)('waiting for changes on %s', (database) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ database });
  });
  afterAll(() => server.close());

  const changes = async (uuid: string, after: number, timeout: number, as = 'maria', seen?: string) => {
    const more = seen === undefined ? '' : `&seen=${seen}`;
    const path = `/rest/bundles/${uuid}/changes?after=${after}&timeout=${timeout}${more}`;
    const response = await server.fetch(path, { as });
    expect(response.status).toBe(200);
    return ((await response.json()) as Change).data;
  };

  it('answers at once when there is something new, and otherwise when there is', async () => {
    const uuid = await createBundle(server, { as: 'maria', type: 'dataset' });

    const now = await changes(uuid, 0, 60);
    expect(now).toMatchObject({ uuid, version: 1, state: 'uploading' });
    const later = changes(uuid, now.version, 60);
    await setBundle(server, uuid, { state: 'ready', size: 1 });

    expect(await later).toMatchObject({ version: 2, state: 'ready' });
  });

  it('misses none of many changes made while it asks', async () => {
    const uuid = await createBundle(server, { as: 'maria', type: 'dataset' });
    const edits = (async () => {
      for (let count = 1; count <= 30; count += 1) await setBundle(server, uuid, { size: count });
    })();
    let seen = 0;
    while (seen < 31) seen = (await changes(uuid, seen, 60)).version;
    await edits;

    expect(seen).toBe(31);
  });

  it('answers what is there when the time is over', async () => {
    const uuid = await createBundle(server, { as: 'maria', type: 'dataset' });

    expect(await changes(uuid, 1, 0)).toMatchObject({ version: 1 });
  });

  it('lets nobody watch what he may not read', async () => {
    const uuid = await createBundle(server, { as: 'maria', type: 'dataset' });

    expect((await ask(server, `/rest/bundles/${uuid}/changes`, { as: 'jose' })).status).toBe(403);
    expect((await ask(server, `/rest/bundles/${uuid}/events`, { as: 'jose' })).status).toBe(403);
    expect((await ask(server, `/rest/bundles/0x${'0'.repeat(32)}/changes`, { as: 'jose' })).status).toBe(404);
    expect((await ask(server, `/rest/bundles/${uuid}/changes?after=x`, { as: 'maria' })).status).toBe(400);
  });

  it('answers when a run that waits has another reason, though its version stays', async () => {
    const { reasons } = server.services;
    const uuid = await createBundle(server, { as: 'maria', metadata: { request_queue: 'nobody' } });
    await untilState(server, uuid, ['staged'], 'maria');
    const first = await until(async () => {
      const seen = await changes(uuid, 0, 0);
      return seen.state_details?.includes('No worker is connected') === true ? seen : undefined;
    }, 'a reason');
    reasons.publish(() => 'first');

    // It changed while nobody asked.
    const second = await changes(uuid, first.version, 60, 'maria', first.details_tag);
    const later = changes(uuid, first.version, 60, 'maria', second.details_tag);
    await until(async () => (reasons.watched(uuid) === 1 ? true : undefined), 'it asks');
    reasons.publish(() => 'second');

    expect(second).toMatchObject({ version: first.version, state: 'staged', state_details: 'first' });
    expect(await later).toMatchObject({ version: first.version, state_details: 'second' });
    const shown = await ask(server, `/rest/bundles/${uuid}`, { as: 'maria' });
    expect(shown.text).toContain('"staged_status":"second"');
  });

  it('tells the history of a bundle', async () => {
    const uuid = await createBundle(server, { as: 'maria', type: 'dataset' });
    await succeed(server, `/rest/bundles/${uuid}/state?success=1`, { as: 'maria', method: 'POST' });

    const { data } = await succeed(server, `/rest/bundles/${uuid}/events`, { as: 'maria' });

    expect(data).toMatchObject([
      {
        type: 'bundle-events',
        attributes: {
          at: expect.stringContaining('+00:00') as string,
          kind: 'upload-reported',
          details: { state: 'ready' },
        },
      },
    ]);
  });
});

it('answers those who wait when the server stops', async () => {
  let arrive = () => {};
  const arrived = new Promise<void>((resolve) => (arrive = resolve));
  const server = await startTestServer({
    database: 'sqlite',
    extend: (app) =>
      app.addHook('preHandler', async (request) => {
        if (request.url.includes('/changes')) arrive();
      }),
  });
  const uuid = await createBundle(server, { type: 'dataset' });
  const waiting = ask(server, `/rest/bundles/${uuid}/changes?after=1&timeout=300`, { as: 'root' });
  await arrived;

  await server.close();

  expect((await waiting).status).toBe(200);
});
