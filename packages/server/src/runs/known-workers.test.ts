import { dependencyCacheKey } from '@sheaf/domain';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { manualClock, type ManualClock } from '../testing/manual-clock.ts';
import { KnownWorkers, type PlannedWorker } from './known-workers.ts';
import { scriptedWorker } from './testing/scripted-worker.ts';

describe.each(databases)('workers that are known (%s)', (database) => {
  let server: TestServer;
  let clock: ManualClock;
  const known = new KnownWorkers();
  beforeAll(async () => {
    clock = manualClock();
    server = await startTestServer({ database, clock });
  });
  afterAll(() => server.close());

  const read = async (id: string): Promise<PlannedWorker | undefined> =>
    (await server.services.unitOfWork((unit) => known.read(unit))).find(({ row }) => row.worker_id === id);

  it('are read again only where they have said something new', async () => {
    const worker = scriptedWorker(server, {
      id: 'same',
      runtime: { name: 'x', images: false, description: '' },
    });
    await worker.checkin({ hold: 0 });
    const first = await read('same');
    expect(first).toMatchObject({ images: false, row: { cpus: 4, free_disk_bytes: 100 * 1024 ** 3 } });
    expect(await read('same')).toBe(first);

    clock.advance(3000);
    await worker.checkin({ hold: 0, free_disk_bytes: 17 });
    const touched = await read('same');
    expect(touched?.row).toEqual({ ...first?.row, checkin_at: clock.now(), free_disk_bytes: 17 });
    expect(touched?.cachedDependencies).toBe(first?.cachedDependencies);

    await worker.checkin({ hold: 0, cpus: 8, dependencies: [['0xa', 'p']] });
    const changed = await read('same');
    expect(changed).toMatchObject({
      row: { cpus: 8 },
      cachedDependencies: new Set([dependencyCacheKey('0xa', 'p')]),
    });
  });

  it('count what they may start without being read again', async () => {
    await scriptedWorker(server, { id: 'counted' }).checkin({ hold: 0, exit_after_num_runs: 5 });
    const first = await read('counted');
    await server.services.database.queries
      .updateTable('worker')
      .set({ exit_after_num_runs: 4 })
      .where('worker_id', '=', 'counted')
      .execute();
    expect((await read('counted'))?.row).toEqual({ ...first?.row, exit_after_num_runs: 4 });
  });

  it('are forgotten when they go, and others when they come back', async () => {
    const worker = scriptedWorker(server, { id: 'goes' });
    await worker.checkin({ hold: 0, cpus: 1 });
    expect((await read('goes'))?.row.cpus).toBe(1);
    await worker.post('checkout', {});
    await worker.checkin({ hold: 0, cpus: 2 });
    expect((await read('goes'))?.row.cpus).toBe(2);
    await worker.post('checkout', {});
    expect(await read('goes')).toBeUndefined();
  });
});
