import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { failStuckBundles } from './maintenance.ts';
import { createBundle, untilState, viewBundle } from './testing/bundles.ts';
import { reportOf, scriptedWorker } from './testing/scripted-worker.ts';

const day = 24 * 60 * 60 * 1000;

describe.each(databases)('bundles to which nothing happens for 60 days (%s)', (database) => {
  let server: TestServer;
  beforeEach(async () => {
    server = await startTestServer({ database });
  });
  afterEach(async () => {
    await server.close();
  });

  const age = async (uuid: string, days: number) => {
    const at = Date.now() - days * day;
    const { queries } = server.services.database;
    await queries
      .updateTable('bundle')
      .set({ created_at: at, changed_at: at })
      .where('uuid', '=', uuid)
      .execute();
    await queries.updateTable('bundle_event').set({ at }).where('bundle_uuid', '=', uuid).execute();
  };
  const upkeep = () => server.services.unitOfWork((unit) => failStuckBundles(unit, Date.now()));
  const waiting = async () => {
    const uuid = await createBundle(server, { metadata: { request_queue: 'nobody' } });
    await untilState(server, uuid, ['staged']);
    return uuid;
  };

  it('fail, and say so', async () => {
    const [old, young] = [await waiting(), await waiting()];
    const upload = await createBundle(server, { type: 'dataset', query: 'wait_for_upload=1' });
    await age(old, 61);
    await age(young, 59);
    await age(upload, 61);
    expect(await upkeep()).toBe(2);
    expect((await viewBundle(server, old)).metadata['failure_message']).toBe(
      'Bundle has been stuck in staged state for more than 60 days.',
    );
    expect((await viewBundle(server, upload)).metadata['failure_message']).toContain(
      'stuck in uploading state',
    );
    expect((await viewBundle(server, young)).state).toBe('staged');
  });

  it('are counted from when a run went back to wait, not from its creation', async () => {
    const uuid = await waiting();
    await age(uuid, 100);
    await server.services.database.queries
      .insertInto('bundle_event')
      .values({ bundle_uuid: uuid, at: Date.now() - day, kind: 'preempted', details: '{"text":"x"}' })
      .execute();
    expect(await upkeep()).toBe(0);
  });

  it('are never runs that a worker holds, however old', async () => {
    const worker = scriptedWorker(server);
    const next = worker.next('run');
    const uuid = await createBundle(server);
    const { epoch } = await next;
    await worker.start(uuid, epoch);
    await worker.report([reportOf(uuid, 'running', { epoch })]);
    await age(uuid, 400);
    expect(await upkeep()).toBe(0);
    expect((await viewBundle(server, uuid)).state).toBe('running');
  });
});
