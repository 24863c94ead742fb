import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manualClock, type ManualClock } from '../testing/manual-clock.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { createBundle, putContents, until, untilState, viewBundle } from './testing/bundles.ts';
import { reportOf, scriptedWorker } from './testing/scripted-worker.ts';

describe.each(databases)('a server that is restarted (%s)', (database) => {
  let server: TestServer;
  beforeEach(async () => {
    server = await startTestServer({ database });
  });
  afterEach(async () => {
    await server.close();
  });

  const restart = async (clock?: ManualClock) => {
    const { settings } = server.services;
    await server.close({ keepHome: true });
    server = await startTestServer({ database, reopen: settings, ...(clock === undefined ? {} : { clock }) });
  };

  it('goes on with runs that run meanwhile, and with messages nobody has fetched', async () => {
    const first = scriptedWorker(server);
    await first.checkin({ hold: 0 });
    const waiting = first.next('run');
    const uuid = await createBundle(server);
    const { epoch } = await waiting;
    await first.start(uuid, epoch);
    await first.report([reportOf(uuid, 'running', { epoch, container_time_total: 1 })]);
    const undelivered = await createBundle(server);
    await untilState(server, undelivered, ['starting']);
    const made = await createBundle(server, { metadata: { request_queue: 'nobody' } });
    await untilState(server, made, ['staged']);

    await restart();
    expect((await viewBundle(server, uuid)).state).toBe('running');
    expect((await viewBundle(server, undelivered)).state).toBe('starting');
    const worker = scriptedWorker(server);
    const messages = await worker.checkin({ hold: 0, runs: [reportOf(uuid, 'running', { epoch })] });
    expect(messages).toMatchObject([{ type: 'run', bundle: { uuid: undelivered } }]);
    expect(await worker.start(undelivered, messages[0]?.type === 'run' ? messages[0].epoch : undefined)).toBe(
      true,
    );
    const upload = await putContents(server, uuid, 'done', {
      query: 'filename=a&unpack=0&finalize_on_success=0',
      headers: { 'x-sheaf-epoch': String(epoch) },
    });
    expect(upload.status, await upload.text()).toBe(200);
    await worker.report([reportOf(uuid, 'finalizing', { epoch, exitcode: 0 })]);
    expect((await viewBundle(server, uuid)).state).toBe('ready');
  });

  it('decides nothing about workers until they had time to be heard', async () => {
    const worker = scriptedWorker(server, { hostname: 'quiet' });
    await worker.checkin({ hold: 0 });
    const waiting = worker.next('run');
    const uuid = await createBundle(server);
    const { epoch } = await waiting;
    await worker.start(uuid, epoch);
    await worker.report([reportOf(uuid, 'running', { epoch })]);
    // The clock of the new server is years ahead: nobody has been heard for longer than the time-out.
    const clock = manualClock();
    await restart(clock);
    const { queries } = server.services.database;
    await queries
      .insertInto('message')
      .values({
        user_id: '0',
        worker_id: 'x',
        run_uuid: uuid,
        epoch: null,
        type: 'kill',
        body: '{}',
        created_at: 0,
        delivered_at: null,
        expires_at: 1,
      })
      .execute();
    clock.advance(5_000);
    await until(async () => {
      const left = await queries.selectFrom('message').select('id').where('expires_at', '=', 1).execute();
      return left.length === 0 ? true : undefined;
    }, 'the upkeep has run');
    expect((await viewBundle(server, uuid)).state).toBe('running');
    const tick = setInterval(() => clock.advance(5_000), 10);
    await untilState(server, uuid, ['worker_offline']);
    clearInterval(tick);
    const workers = await server.fetch('/rest/workers/info', { as: 'root' });
    expect(((await workers.json()) as { data: unknown[] }).data).toEqual([]);
    expect((await viewBundle(server, uuid)).state).toBe('worker_offline');
  });

  it('answers what is held when it stops', async () => {
    const worker = scriptedWorker(server);
    const held = worker.checkin({ hold: 30 });
    await worker.post('report', { runs: [] }).then((response) => response.text());
    await restart();
    expect(await held).toEqual([]);
  });
});

describe.each(databases)('a worker that falls silent (%s)', (database) => {
  let server: TestServer;
  beforeEach(async () => {
    server = await startTestServer({ database, settings: { workerTimeout: 400 } });
  });
  afterEach(async () => {
    await server.close();
  });

  it('loses its runs: those that run wait for it, the others go elsewhere or end', async () => {
    const worker = scriptedWorker(server, { tag: 'silent', tag_exclusive: true });
    await worker.checkin({ hold: 0 });
    const metadata = { request_queue: 'silent' };
    const uuids: string[] = [];
    const epochs: (number | undefined)[] = [];
    for (let index = 0; index < 3; index += 1) {
      const waiting = worker.next('run', { hold: 0.1 });
      uuids.push(await createBundle(server, { metadata }));
      const { epoch } = await waiting;
      epochs.push(epoch);
    }
    const [running = '', preparing = '', starting = ''] = uuids;
    await worker.start(running, epochs[0]);
    await worker.report([reportOf(running, 'running', { epoch: epochs[0]! })]);
    await worker.start(preparing, epochs[1]);
    await untilState(server, running, ['worker_offline']);
    await untilState(server, preparing, ['worker_offline']);
    expect((await untilState(server, starting, ['staged'])).state).toBe('staged');
    const queued = await server.services.database.queries.selectFrom('message').selectAll().execute();
    expect(queued).toEqual([]);
  });

  it('comes back without a run: one that had not begun is given out again, one that ran waits', async () => {
    const worker = scriptedWorker(server, { tag: 'forgetful', tag_exclusive: true });
    const metadata = { request_queue: 'forgetful' };
    const begin = async () => {
      const waiting = worker.next('run', { hold: 0.1 });
      const uuid = await createBundle(server, { metadata });
      const { epoch = 0 } = await waiting;
      await worker.start(uuid, epoch);
      return { uuid, epoch };
    };
    await worker.checkin({ hold: 0 });
    const ran = await begin();
    await worker.report([reportOf(ran.uuid, 'running', { epoch: ran.epoch })]);
    const unheard = await begin();
    await untilState(server, ran.uuid, ['worker_offline']);
    await untilState(server, unheard.uuid, ['worker_offline']);
    // While nobody knows whether the worker has it, it is not given to another.
    const { passes } = server.execution.upkeep;
    await until(async () => server.execution.upkeep.passes > passes + 2 || undefined, 'some upkeep');
    expect((await viewBundle(server, unheard.uuid)).state).toBe('worker_offline');

    const again = await worker.next('run', { hold: 0.1 });

    expect(again).toMatchObject({ bundle: { uuid: unheard.uuid }, epoch: unheard.epoch + 1 });
    expect((await viewBundle(server, ran.uuid)).state).toBe('worker_offline');
  });
});
