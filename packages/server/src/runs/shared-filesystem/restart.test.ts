/* What a server that died in the middle goes on with when it is back (execution.md §24, §31.3). */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databases, startTestServer, type TestServer } from '../../testing/test-server.ts';
import { createBundle, until, untilState } from '../testing/bundles.ts';
import { scriptedWorker, type ScriptedWorker } from '../testing/scripted-worker.ts';

describe.each(databases)('a server that died (%s)', (database) => {
  let server: TestServer;
  let worker: ScriptedWorker;
  beforeEach(async () => {
    server = await startTestServer({ database });
    worker = scriptedWorker(server, { shared_file_system: true });
    await worker.checkin({ hold: 0 });
  });
  afterEach(async () => {
    await server.close();
  });

  /** Closes the server, brings the database into a state it may die in, and starts it again. */
  const diedAfter = async (work: () => Promise<unknown>) => {
    const { settings } = server.services;
    await work();
    await server.close({ keepHome: true });
    server = await startTestServer({ database, reopen: settings });
    worker = scriptedWorker(server, { shared_file_system: true });
  };
  const queries = () => server.services.database.queries;

  it('while it laid inputs out lays them out, and hands the run over', async () => {
    const uuid = await createBundle(server);
    await until(
      async () =>
        await queries().selectFrom('message').select('id').where('run_uuid', '=', uuid).executeTakeFirst(),
      'the run message',
    );
    await diedAfter(async () => {
      await queries().deleteFrom('message').where('run_uuid', '=', uuid).execute();
      await queries().updateTable('shared_run').set({ prepared_at: null }).execute();
    });

    const message = await worker.next('run');
    expect(message.bundle.uuid).toBe(uuid);
    expect(readdirSync(message.bundle.location ?? '')).toEqual([]);
    expect(await worker.start(uuid, message.epoch)).toBe(true);
  });

  it.each(['before it took the results', 'after it took the results away from the worker'])(
    '%s stores them, though nobody reports any more',
    async (moment) => {
      const uuid = await createBundle(server);
      const { bundle, epoch } = await worker.next('run');
      await worker.start(uuid, epoch);
      const name = `${uuid}.${epoch}`;
      const place = moment.startsWith('before')
        ? bundle.location
        : join(server.home, 'shared', 'ended', name);
      if (typeof place !== 'string') throw new Error('The message names no directory.');
      await diedAfter(async () => {
        mkdirSync(place, { recursive: true });
        writeFileSync(join(place, 'stdout'), 'kept\n');
        await queries().updateTable('bundle').set({ state: 'finalizing' }).where('uuid', '=', uuid).execute();
        if (!moment.startsWith('before')) {
          rmSync(bundle.location ?? '', { recursive: true });
        }
      });

      await untilState(server, uuid, ['ready']);
      const stdout = await server.fetch(`/rest/bundles/${uuid}/contents/blob/stdout`, { as: 'root' });
      expect(await stdout.text()).toBe('kept\n');
      expect(readdirSync(join(server.home, 'shared', 'ended'))).toEqual([]);
    },
  );
});
