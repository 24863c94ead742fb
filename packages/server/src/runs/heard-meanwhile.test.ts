import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manualClock } from '../testing/manual-clock.ts';
import { postgresqlPrograms } from '../testing/postgresql.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { StuckStarts } from './refused-start.ts';
import { removeWorker } from './loss.ts';
import { createBundle, until, viewBundle } from './testing/bundles.ts';
import { scriptedWorker } from './testing/scripted-worker.ts';
import { restageUnbegun } from './unbegun-offline.ts';

// The other engine has one transaction at a time: nothing happens there in between.
describe.runIf(postgresqlPrograms() !== undefined || process.env['CI'] === 'true')(
  'a worker that is heard of while others decide about its runs',
  () => {
    let server: TestServer;
    beforeEach(async () => {
      server = await startTestServer({ database: 'postgresql', clock: manualClock() });
    });
    afterEach(() => server.close());

    const offered = async () => {
      const worker = scriptedWorker(server);
      await worker.checkin({ hold: 0 });
      const uuid = await createBundle(server);
      const { epoch } = await worker.next('run', { hold: 0 });
      return { worker, uuid, epoch };
    };
    /** Begins the work while `meanwhile` has been done and is not committed yet; it is as soon as the work has to wait for it. */
    const crossed = async <Result>(
      work: (unit: UnitOfWork) => Promise<Result>,
      meanwhile: (unit: UnitOfWork) => Promise<unknown>,
    ): Promise<Result> => {
      const { unitOfWork, database } = server.services;
      let begin: () => void = () => undefined;
      const begun = new Promise<void>((resolve) => {
        begin = resolve;
      });
      const [result] = await Promise.all([
        begun.then(() => unitOfWork(work)),
        unitOfWork(async (unit) => {
          await meanwhile(unit);
          begin();
          await until(async () => {
            const { rows } = await sql`select pid from pg_locks where not granted`.execute(database.queries);
            return rows.length > 0 ? true : undefined;
          }, 'the work waits');
        }),
      ]);
      return result;
    };
    const set = (unit: UnitOfWork, uuid: string, state: string) =>
      unit.queries.updateTable('bundle').set({ state }).where('uuid', '=', uuid).execute();

    it('keeps the run that it comes back with', async () => {
      const { worker, uuid, epoch } = await offered();
      await worker.start(uuid, epoch);
      await worker.post('checkout', {});
      expect((await viewBundle(server, uuid)).state).toBe('worker_offline');
      const others = scriptedWorker(server, { id: 'other', tag: 'other', tag_exclusive: true });
      await others.checkin({ hold: 0 });

      const restaged = await crossed(
        (unit) => restageUnbegun(unit, 0),
        async (unit) => {
          await sql`lock table worker in access exclusive mode`.execute(unit.queries);
          // As its check-in with a report does it.
          await unit.queries
            .updateTable('worker')
            .set({ worker_id: worker.id })
            .where('worker_id', '=', 'other')
            .execute();
          await set(unit, uuid, 'preparing');
        },
      );

      expect(restaged).toBe(0);
      expect((await viewBundle(server, uuid)).state).toBe('preparing');
    });

    it('keeps the run that it begins', async () => {
      const { worker, uuid } = await offered();
      await worker.checkin({ hold: 0 });
      let time = 0;
      const starts = new StuckStarts({ elapsed: () => time });
      await server.services.unitOfWork((unit) => starts.restage(unit, 0));
      time = 1_000_000;

      await crossed(
        (unit) => starts.restage(unit, 0),
        (unit) => set(unit, uuid, 'preparing'),
      );

      expect((await viewBundle(server, uuid)).state).toBe('preparing');
    });

    it('has its run waited for, if it has begun it before it is taken for lost', async () => {
      const { worker, uuid } = await offered();

      await crossed(
        (unit) => removeWorker(unit, { userId: '0', workerId: worker.id }, 'has ended', 0),
        (unit) => set(unit, uuid, 'preparing'),
      );

      expect((await viewBundle(server, uuid)).state).toBe('worker_offline');
    });
  },
);
