import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manualClock, type ManualClock } from '../testing/manual-clock.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { createBundle, until, untilState, viewBundle } from './testing/bundles.ts';
import { reportOf, scriptedWorker } from './testing/scripted-worker.ts';

describe('the scheduler', () => {
  let clock: ManualClock;
  let server: TestServer;
  beforeEach(async () => {
    clock = manualClock();
    server = await startTestServer({ database: 'sqlite', clock });
  });
  afterEach(() => server.close());

  it('looks everything over now and then, also while one pass follows the other', async () => {
    const uuid = await createBundle(server, { metadata: { request_queue: 'nobody' } });
    await untilState(server, uuid, ['staged']);
    const { database, events, reasons } = server.services;
    const { counters, backlog } = server.execution;
    // Each pass has something happen that asks for the next.
    const publish = reasons.publish.bind(reasons);
    let isBusy = true;
    reasons.publish = (reasonOf) => {
      publish(reasonOf);
      if (isBusy) events.emit({ type: 'worker.changed', userId: 'x', workerId: 'x' });
    };
    events.emit({ type: 'worker.changed', userId: 'x', workerId: 'x' });
    const busySince = counters.passes;
    await until(async () => (counters.passes > busySince + 2 ? true : undefined), 'passes without a pause');
    // Nobody tells.
    await database.queries.updateTable('bundle').set({ state: 'killed' }).where('uuid', '=', uuid).execute();
    expect(backlog.runs.get(uuid)).toBeDefined();

    clock.advance(10_000);

    await until(async () => (backlog.runs.get(uuid) === undefined ? true : undefined), 'it is looked over');
    isBusy = false;
  });

  it('looks again at a run that was changed without a word, and only at that', async () => {
    const uuid = await createBundle(server);
    await untilState(server, uuid, ['staged']);
    const { backlog } = server.execution;
    await until(async () => (backlog.runs.get(uuid) === undefined ? undefined : true), 'it is known');
    const { queries } = server.services.database;
    await queries.updateTable('bundle').set({ version: 99 }).where('uuid', '=', uuid).execute();
    const { lookedOver } = backlog;

    const message = await scriptedWorker(server).next('run');

    expect(message.bundle.uuid).toBe(uuid);
    expect(backlog.lookedOver).toBe(lookedOver);
  });

  it('forgets a run that cannot start any more and has been ended without a word', async () => {
    const { id } = await server.createUser({ name: 'bob' });
    const uuid = await createBundle(server, { as: 'bob', metadata: { request_queue: 'nobody' } });
    await untilState(server, uuid, ['staged']);
    const { backlog } = server.execution;
    await until(async () => (backlog.runs.get(uuid) === undefined ? undefined : true), 'it is known');
    const { database, events } = server.services;
    await database.queries.updateTable('bundle').set({ state: 'killed' }).where('uuid', '=', uuid).execute();
    await database.queries.deleteFrom('user').where('id', '=', id).execute();
    const { lookedOver } = backlog;

    events.emit({ type: 'worker.changed', userId: 'x', workerId: 'x' });

    await until(async () => (backlog.runs.get(uuid) === undefined ? true : undefined), 'it is forgotten');
    expect(backlog.lookedOver).toBe(lookedOver);
  });

  it('goes on when the time is set while a pass runs', async () => {
    const { events } = server.services;
    events.emit({ type: 'worker.changed', userId: 'x', workerId: 'x' });
    clock.advance(5_000);
    const uuid = await createBundle(server, { metadata: { request_queue: 'nobody' } });
    await untilState(server, uuid, ['staged']);
  });

  it('counts what a pass takes into the pause of a run that was spoilt', async () => {
    const worker = scriptedWorker(server);
    await worker.checkin({ hold: 0 });
    const uuid = await createBundle(server);
    const { epoch = -1 } = await worker.next('run');
    await worker.start(uuid, epoch);
    const { reasons } = server.services;
    const publish = reasons.publish.bind(reasons);
    let isSlow = true;
    reasons.publish = (reasonOf) => {
      publish(reasonOf);
      if (server.execution.backlog.runs.get(uuid) === undefined || !isSlow) return;
      isSlow = false;
      clock.advance(5000);
    };
    const spoilt = { failure_message: 'x', failure_cause: 'container-lost' };
    await worker.report([reportOf(uuid, 'finalizing', { epoch, ...spoilt })]);

    expect(await worker.next('run')).toMatchObject({ bundle: { uuid }, epoch: epoch + 1 });
  });

  it('looks everything over at once when a run that it would fail does not wait any more', async () => {
    const uuid = await createBundle(server, { metadata: { request_queue: 'nobody', request_time: '1h' } });
    await untilState(server, uuid, ['staged']);
    const { backlog } = server.execution;
    await until(async () => backlog.runs.get(uuid), 'it is known to wait');
    const { database, events } = server.services;
    // Nobody tells.
    await database.queries.updateTable('bundle').set({ state: 'killed' }).where('uuid', '=', uuid).execute();
    await database.queries.updateTable('user').set({ time_quota: 60 }).execute();

    events.emit({ type: 'worker.changed', userId: 'x', workerId: 'x' });

    await until(async () => (backlog.runs.get(uuid) === undefined ? true : undefined), 'it is forgotten');
    expect((await viewBundle(server, uuid)).state).toBe('killed');
  });
});
