import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { scriptedWorker } from './testing/scripted-worker.ts';
import { WorkerStarts } from './worker-starts.ts';

describe.each(databases)('runs that workers still start (%s)', (database) => {
  let server: TestServer;
  let userId: string;
  beforeAll(async () => {
    server = await startTestServer({ database });
    await scriptedWorker(server, { id: 'endless' }).checkin({ hold: 0 });
    await scriptedWorker(server, { id: 'counted' }).checkin({ hold: 0, exit_after_num_runs: 2 });
    await scriptedWorker(server, { id: 'ending' }).checkin({ hold: 0, is_terminating: true });
    const { user_id } = await server.services.database.queries
      .selectFrom('worker')
      .select('user_id')
      .executeTakeFirstOrThrow();
    userId = user_id;
  });
  afterAll(() => server.close());

  const key = (workerId: string) => ({ userId, workerId });
  const left = async (workerId: string) =>
    (
      await server.services.database.queries
        .selectFrom('worker')
        .select('exit_after_num_runs')
        .where('worker_id', '=', workerId)
        .executeTakeFirstOrThrow()
    ).exit_after_num_runs;

  it('are counted only where the worker counts them', async () => {
    const before = await left('endless');
    await server.services.unitOfWork(async (unit) => {
      const starts = await WorkerStarts.read(unit, [key('endless'), key('counted'), key('ending')]);
      expect(starts.take(key('endless'))).toBe(true);
      expect([1, 2, 3].map(() => starts.take(key('counted')))).toEqual([true, true, false]);
      expect(starts.take(key('ending'))).toBe(false);
      expect(starts.take(key('unknown'))).toBe(false);
      starts.giveBack(key('counted'));
      await starts.write(unit);
    });
    expect(await left('counted')).toBe(1);
    expect(await left('endless')).toBe(before);
  });

  if (database === 'postgresql') {
    it('do not wait for a check-in that is being written down, except where they are counted', async () => {
      const { unitOfWork } = server.services;
      await unitOfWork(async (checkin) => {
        await checkin.queries.updateTable('worker').set({ checkin_at: 1 }).execute();
        await unitOfWork(async (pass) => {
          expect((await WorkerStarts.read(pass, [key('endless')])).take(key('endless'))).toBe(true);
        });
        const counted = unitOfWork(async (pass) => {
          await sql`set local lock_timeout = 50`.execute(pass.queries);
          await WorkerStarts.read(pass, [key('counted')]);
        });
        await expect(counted).rejects.toThrow('lock timeout');
      });
    });
  }
});
