/* What many workers tell at once: the odd one costs only itself, and nobody is answered before it is committed. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createBundle, untilState } from '../runs/testing/bundles.ts';
import { reportOf, scriptedWorker } from '../runs/testing/scripted-worker.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';

describe.each(databases)('contacts of one moment (%s)', (database) => {
  let server: TestServer;
  beforeEach(async () => {
    server = await startTestServer({ database });
  });
  afterEach(() => server.close());

  /** Workers, each with a run that it has begun. */
  async function busyWorkers(count: number) {
    const workers = [];
    for (let number = 0; number < count; number += 1) {
      const worker = scriptedWorker(server, { id: `contact-${number}`, tag: `only-${number}` });
      await worker.checkin({ hold: 0 });
      const uuid = await createBundle(server, { metadata: { request_queue: `tag=only-${number}` } });
      const { epoch } = await worker.next('run');
      expect(await worker.start(uuid, epoch)).toBe(true);
      workers.push({ worker, uuid, epoch });
    }
    return workers;
  }

  it('end many runs together, each answered for itself', async () => {
    const workers = await busyWorkers(4);

    const answers = await Promise.all(
      workers.map(({ worker, uuid, epoch }) =>
        worker.report([reportOf(uuid, 'finalizing', { epoch, exitcode: 0 })]),
      ),
    );

    for (const [at, { uuid }] of workers.entries()) {
      expect(answers[at]).toEqual([expect.objectContaining({ type: 'mark_finalized', uuid })]);
      await untilState(server, uuid, ['ready']);
    }
    const left = await server.services.database.queries.selectFrom('assignment').selectAll().execute();
    expect(left).toEqual([]);
  });

  it('keep what one worker says from failing by what another says', async () => {
    const workers = await busyWorkers(3);
    const [broken, ...sound] = workers;
    if (broken === undefined) throw new Error('There are three.');
    // What was noted of its action cannot be read: its end fails, and with it all that is done together.
    await server.services.database.queries
      .updateTable('run_action')
      .set({ action: 'no JSON' })
      .where('run_uuid', '=', broken.uuid)
      .execute();
    await server.services.database.queries
      .updateTable('bundle')
      .set({ root_entry: JSON.stringify({ kind: 'nothing' }) })
      .where('uuid', '=', broken.uuid)
      .execute();

    await Promise.all(
      workers.map(({ worker, uuid, epoch }) =>
        worker.report([reportOf(uuid, 'finalizing', { epoch, exitcode: 0 })]),
      ),
    );

    for (const { uuid } of sound) await untilState(server, uuid, ['ready']);
    const row = await server.services.database.queries
      .selectFrom('bundle')
      .select('state')
      .where('uuid', '=', broken.uuid)
      .executeTakeFirstOrThrow();
    expect(row.state).toBe('preparing');
  });

  it('of workers one of whose messages is damaged are answered with the others', async () => {
    const worker = scriptedWorker(server, { id: 'damaged' });
    await worker.checkin({ hold: 0 });
    const uuids = [await createBundle(server), await createBundle(server)];
    for (const uuid of uuids) await untilState(server, uuid, ['starting']);
    const [broken = '', sound = ''] = uuids;
    await server.services.database.queries
      .updateTable('message')
      .set({ body: '{"type":"run","bundle":null}' })
      .where('run_uuid', '=', broken)
      .execute();

    const answer = await worker.checkin({ hold: 0 });

    expect(answer).toEqual([
      expect.objectContaining({ type: 'run', bundle: expect.objectContaining({ uuid: sound }) }),
    ]);
  });

  it('of workers that say the same again leave their records alone', async () => {
    const worker = scriptedWorker(server, { id: 'still' });
    await worker.checkin({ hold: 0 });
    const before = await server.services.database.queries
      .selectFrom('worker')
      .selectAll()
      .executeTakeFirstOrThrow();

    await worker.checkin({ hold: 0 });

    const after = await server.services.database.queries
      .selectFrom('worker')
      .selectAll()
      .executeTakeFirstOrThrow();
    expect(after.checkin_at - before.checkin_at).toBeLessThanOrEqual(2000);
    expect({ ...after, checkin_at: 0 }).toEqual({ ...before, checkin_at: 0 });
    await worker.checkin({ hold: 0, cpus: 7, group_name: null });
    const changed = await server.services.database.queries
      .selectFrom('worker')
      .select('cpus')
      .executeTakeFirstOrThrow();
    expect(changed.cpus).toBe(7);
  });
});
