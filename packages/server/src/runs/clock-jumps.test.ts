/* The wall clock of the server is set forward and back: no worker dies of it, none lives longer, and nobody waits longer. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manualClock, type ManualClock } from '../testing/manual-clock.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { createBundle, until, untilState, viewBundle } from './testing/bundles.ts';
import { reportOf, scriptedWorker } from './testing/scripted-worker.ts';

const minutes = 60_000;

describe.each(databases)('a wall clock that is set (%s)', (database) => {
  let server: TestServer;
  let clock: ManualClock;
  beforeEach(async () => {
    clock = manualClock();
    server = await startTestServer({ database, clock });
  });
  afterEach(() => server.close());

  const running = async () => {
    const worker = scriptedWorker(server, { hostname: 'steady' });
    await worker.checkin({ hold: 0 });
    const uuid = await createBundle(server);
    const { epoch } = await worker.next('run');
    await worker.start(uuid, epoch);
    await worker.report([reportOf(uuid, 'running', { epoch })]);
    return { worker, uuid, epoch };
  };
  /** Time passes, in steps in which the upkeep is done: it waits for its next turn when it is. */
  const pass = async (milliseconds: number) => {
    for (let left = milliseconds; left > 0; left -= 5000) {
      const { passes } = server.execution.upkeep;
      clock.advance(5000);
      await until(async () => (server.execution.upkeep.passes > passes ? true : undefined), 'the upkeep');
    }
  };
  const workers = async () =>
    (await server.services.database.queries.selectFrom('worker').select('worker_id').execute()).length;

  it.each([10 * minutes, -10 * minutes])(
    'by %d ms does not end workers before their time, nor later',
    async (jump) => {
      const { worker, uuid, epoch } = await running();
      await pass(30_000);
      clock.jump(jump);
      await pass(20_000);
      expect(await workers()).toBe(1);
      expect((await viewBundle(server, uuid)).state).toBe('running');
      // It still gets runs.
      const another = await createBundle(server);
      await untilState(server, another, ['starting']);
      await worker.report([reportOf(uuid, 'running', { epoch })]);
      await pass(50_000);
      expect(await workers()).toBe(1);

      await pass(20_000);
      await untilState(server, uuid, ['worker_offline']);
      expect(await workers()).toBe(0);
    },
  );

  it('back holds check-ins no longer', async () => {
    const worker = scriptedWorker(server);
    await worker.checkin({ hold: 0 });
    const awaited = clock.awaited(4000);
    const held = worker.checkin({ hold: 4 });
    await awaited;
    clock.jump(-10 * minutes);
    clock.advance(4000);
    expect(await held).toEqual([]);
  });

  it('back lets nobody wait longer for changes', async () => {
    const uuid = await createBundle(server, { metadata: { request_queue: 'nobody' } });
    await untilState(server, uuid, ['staged']);
    const awaited = clock.awaited(8000);
    const waiting = server.fetch(`/rest/bundles/${uuid}/changes?after=1000&timeout=8`, { as: 'root' });
    await awaited;
    clock.jump(-10 * minutes);
    clock.advance(8000);
    expect((await waiting).status).toBe(200);
  });

  it('takes starts back that hang, in their time', async () => {
    const worker = scriptedWorker(server, { hostname: 'forgetful' });
    await worker.checkin({ hold: 0 });
    const uuid = await createBundle(server);
    await worker.next('run');
    await worker.checkin({ hold: 0 });
    await pass(5000);
    clock.jump(10 * minutes);
    await pass(5000);
    expect((await viewBundle(server, uuid)).state).toBe('starting');
    clock.jump(-20 * minutes);
    await pass(15_000);
    const events = await server.services.database.queries
      .selectFrom('bundle_event')
      .select('kind')
      .where('bundle_uuid', '=', uuid)
      .where('kind', '=', 'restaged')
      .execute();
    expect(events).toHaveLength(1);
  });
});
