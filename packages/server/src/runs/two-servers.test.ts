/* Two servers on one database, both with users and workers of their own. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ask } from '../testing/records.ts';
import { manualClock, type ManualClock } from '../testing/manual-clock.ts';
import { postgresqlPrograms } from '../testing/postgresql.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { createBundle, until, untilState, viewBundle } from './testing/bundles.ts';
import { reportOf, scriptedWorker, type ScriptedWorker } from './testing/scripted-worker.ts';

const underWay = 'runs that are under way there have ended';
const nobody = 'No worker is connected that may take your runs';
const roundsOfEach = 2;
const runsOfRound = 4;

describe.runIf(postgresqlPrograms() !== undefined || process.env['CI'] === 'true')(
  'two servers on one database',
  () => {
    // The clocks stand still: nothing is found by a tick that the test does not make.
    let clock: ManualClock;
    let one: TestServer;
    let other: TestServer;
    beforeEach(async () => {
      clock = manualClock();
      one = await startTestServer({ database: 'postgresql', clock });
      const { database } = one.services.settings;
      other = await startTestServer({ database: 'sqlite', clock, settings: { database } });
    });
    afterEach(async () => {
      await one.close();
      await other.close();
    });

    const untilDetails = (server: TestServer, uuid: string, text: string) =>
      until(async () => {
        const { details } = await viewBundle(server, uuid);
        return details?.includes(text) === true ? true : undefined;
      }, text);

    /** Begins and ends what the worker is given; answers what it was let begin. */
    const work = async (worker: ScriptedWorker): Promise<string[]> => {
      const begun: string[] = [];
      const messages = await worker.checkin({ hold: 0 });
      for (let message = messages.shift(); message !== undefined; message = messages.shift()) {
        if (message.type !== 'run') continue;
        const { uuid } = message.bundle;
        const { epoch } = message;
        if (!(await worker.start(uuid, epoch))) continue;
        begun.push(uuid);
        // Answers to reports bring new runs, too.
        messages.push(...(await worker.report([reportOf(uuid, 'running', { epoch })])));
        messages.push(...(await worker.report([reportOf(uuid, 'finalizing', { epoch, exitcode: 0 })])));
      }
      return begun;
    };

    it('give each run to one worker, whoever plans', { timeout: 60_000 }, async () => {
      const workers = [one, one, other, other].map((server, number) =>
        scriptedWorker(server, { id: `w${number}`, cpus: 2 }),
      );
      for (const worker of workers) await worker.checkin({ hold: 0 });
      const uuids: string[] = [];
      const begun: string[] = [];
      const create = async (server: TestServer) => {
        for (let round = 0; round < roundsOfEach; round += 1) {
          const made = Array.from({ length: runsOfRound }, () => createBundle(server));
          uuids.push(...(await Promise.all(made)));
        }
      };
      const created = Promise.all([create(one), create(other)]);
      let isCreated = false;
      const all = created.then(() => {
        isCreated = true;
      });
      const deadline = Date.now() + 45_000;
      await Promise.all(
        workers.map(async (worker) => {
          while ((!isCreated || begun.length < uuids.length) && Date.now() < deadline)
            begun.push(...(await work(worker)));
        }),
      );
      await all;

      expect(begun.toSorted()).toEqual(uuids.toSorted());
      for (const uuid of uuids) await untilState(one, uuid, ['ready']);
      const { queries } = one.services.database;
      const given = await queries
        .selectFrom('bundle_event')
        .select('bundle_uuid')
        .where('kind', '=', 'assigned')
        .execute();
      expect(given.map(({ bundle_uuid: uuid }) => uuid).toSorted()).toEqual(uuids.toSorted());
      expect(await queries.selectFrom('assignment').selectAll().execute()).toEqual([]);
      expect(await queries.selectFrom('message').selectAll().execute()).toEqual([]);
    });

    it('tell a worker that one of them holds what the other has given to it', async () => {
      const worker = scriptedWorker(other, { id: 'held' });
      await worker.checkin({ hold: 0 });
      const answer = worker.checkin({ hold: 30 });
      const { held } = other.execution.checkins;
      await until(
        async () => (held.isWaiting({ userId: '0', workerId: worker.id }) ? true : undefined),
        'it is held',
      );
      const uuid = await createBundle(one);
      await untilState(one, uuid, ['starting']);

      clock.advance(5_000);

      expect(await answer).toMatchObject([{ type: 'run', bundle: { uuid } }]);
    });

    it('give no worker more than it has', async () => {
      const worker = scriptedWorker(one, { id: 'narrow', cpus: 2 });
      await worker.checkin({ hold: 0 });
      const uuids: string[] = [];
      for (const server of [one, other, one, other, one, other]) uuids.push(await createBundle(server));
      for (const uuid of uuids) await untilState(one, uuid, ['staged', 'starting']);

      const held = () => one.services.database.queries.selectFrom('assignment').select('run_uuid').execute();
      await until(async () => ((await held()).length === 2 ? true : undefined), 'it has two');
      await untilDetails(other, uuids.at(-1) ?? '', underWay);
      expect(await held()).toHaveLength(2);
    });

    it('say why runs wait, each after its own next pass', async () => {
      const metadata = { request_queue: 'nobody' };
      const here = await createBundle(one, { metadata });
      await untilDetails(one, here, nobody);
      const there = await createBundle(other, { metadata });
      await untilDetails(other, there, nobody);
      // What is made at the other one makes that one plan: it looks everything over.
      await untilDetails(other, here, nobody);

      clock.advance(10_000);

      await untilDetails(one, there, nobody);
    });

    it('go on with what the other one has changed', async () => {
      const worker = scriptedWorker(one, { id: 'single', cpus: 1 });
      await worker.checkin({ hold: 0 });
      const first = await createBundle(one);
      await untilState(one, first, ['starting']);
      const killed = await createBundle(one);
      await untilState(one, killed, ['staged']);
      const edited = await createBundle(one);
      await untilState(one, edited, ['staged']);
      const last = await createBundle(one);
      await untilState(one, last, ['staged']);
      await ask(other, '/rest/bundle-actions', {
        as: 'root',
        method: 'POST',
        json: { data: [{ type: 'bundle-actions', attributes: { uuid: killed, type: 'kill' } }] },
      });
      await ask(other, '/rest/bundles', {
        as: 'root',
        method: 'PATCH',
        json: { data: [{ type: 'bundles', id: last, attributes: { metadata: { request_priority: 5 } } }] },
      });

      const begun = [...(await work(worker))];
      for (const next of [last, edited]) {
        await untilState(one, next, ['starting']);
        begun.push(...(await work(worker)));
      }

      expect(begun).toEqual([first, last, edited]);
      expect((await viewBundle(one, killed)).state).toBe('killed');
    });
  },
);
