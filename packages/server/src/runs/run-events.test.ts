import type { BundleEvent } from '@sheaf/wire';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { manualClock, type ManualClock } from '../testing/manual-clock.ts';
import { createBundle, untilState, viewBundle } from './testing/bundles.ts';
import { reportOf, scriptedWorker, type ScriptedWorker } from './testing/scripted-worker.ts';

describe.each(databases)('the history of runs (%s)', (database) => {
  let server: TestServer;
  let clock: ManualClock;
  let tags = 0;
  beforeAll(async () => {
    clock = manualClock();
    server = await startTestServer({ database, clock });
  });
  afterAll(() => server.close());

  const newWorker = (id: string, tag: string) =>
    scriptedWorker(server, { id, tag, tag_exclusive: true, hostname: `${id}-host` });
  const workerWith = async (id: string, tag: string) => {
    const worker = newWorker(id, tag);
    await worker.checkin({ hold: 0 });
    return worker;
  };
  const newTag = () => `tag-${(tags += 1)}`;
  const newRun = (tag: string, as = 'root') => createBundle(server, { as, metadata: { request_queue: tag } });
  const begin = async (worker: ScriptedWorker) => {
    const { bundle, epoch = -1 } = await worker.next('run');
    expect(await worker.start(bundle.uuid, epoch)).toBe(true);
    return epoch;
  };
  const eventsOf = async (uuid: string, as = 'root'): Promise<BundleEvent[]> => {
    const response = await server.fetch(`/rest/bundles/${uuid}/events`, { as });
    expect(response.status).toBe(200);
    const { data } = (await response.json()) as { data: { attributes: BundleEvent }[] };
    return data.map(({ attributes }) => attributes);
  };
  const publicGroup = async () => {
    const response = await server.fetch('/rest/groups/public', { as: 'root' });
    return ((await response.json()) as { data: { id: string } }).data.id;
  };
  const kill = async (uuid: string, as: string) => {
    const json = { data: [{ type: 'bundle-actions', attributes: { uuid, type: 'kill' } }] };
    const response = await server.fetch('/rest/bundle-actions', { as, method: 'POST', json });
    expect(response.status, await response.text()).toBe(200);
  };

  it('tells a life in sentences, with attempt, worker and machine', async () => {
    const tag = newTag();
    const worker = await workerWith('plain', tag);
    const uuid = await newRun(tag);
    const epoch = await begin(worker);
    await worker.report([reportOf(uuid, 'running', { epoch, docker_image: 'python@sha256:1' })]);
    await worker.report([reportOf(uuid, 'running', { epoch })]);
    await worker.report([reportOf(uuid, 'finalizing', { epoch, exitcode: 3 })]);
    await worker.report([reportOf(uuid, 'finalizing', { epoch, exitcode: 3 })]);

    const events = await eventsOf(uuid);

    expect(events.map(({ kind, text }) => [kind, text])).toEqual([
      ['assigned', 'Given to worker plain, which is asked to begin.'],
      ['started', 'Worker plain has begun: it fetches what the run needs.'],
      ['running', 'The command runs on worker plain in python@sha256:1.'],
      ['failed', 'The run failed: Exit code 3.'],
    ]);
    for (const event of events) {
      expect(event).toMatchObject({ attempt: 1, worker_id: 'plain', at: '2031-01-01T00:00:00+00:00' });
    }
    expect(events.map(({ host }) => host)).toEqual(
      ['plain-host', 'node7', 'plain-host', 'plain-host'].with(1, 'plain-host'),
    );
  });

  it('tells that a command has run of which the first word is that it has ended, and of no other', async () => {
    const tag = newTag();
    const worker = await workerWith('quick', tag);
    const ran = { 'RUN_STAGE.RUNNING': { start: 1, end: 1.01, elapsed: 0.01 } };
    const kinds: string[][] = [];
    for (const bundle_profile_stats of [ran, undefined]) {
      const uuid = await newRun(tag);
      const epoch = await begin(worker);
      await worker.report([reportOf(uuid, 'finalizing', { epoch, exitcode: 3, bundle_profile_stats })]);
      kinds.push((await eventsOf(uuid)).map(({ kind }) => kind));
    }

    expect(kinds).toEqual([
      ['assigned', 'started', 'running', 'failed'],
      ['assigned', 'started', 'failed'],
    ]);
  });

  it('tries a run elsewhere three times when the platform fails, and then says all that was tried', async () => {
    const tag = newTag();
    const uuid = await newRun(tag);
    for (const [at, id] of ['one', 'two', 'three', 'four'].entries()) {
      const worker = newWorker(id, tag);
      const epoch = await begin(worker);
      expect(epoch).toBe(at + 1);
      const failure = {
        failure_message: `Engine of ${id} is away`,
        failure_cause: 'engine-failed',
        platform_failure: true,
      };
      const report = reportOf(uuid, 'finalizing', { epoch, ...failure });
      expect(await worker.report([report])).toContainEqual({ type: 'mark_finalized', uuid });
      // It says so again where the answer was lost.
      expect(await worker.report([report])).toContainEqual({ type: 'mark_finalized', uuid });
      expect((await viewBundle(server, uuid)).state).toBe(id === 'four' ? 'failed' : 'staged');
    }

    const { metadata } = await viewBundle(server, uuid);
    expect(metadata['failure_message']).toBe(
      'Engine of four is away. This is not the fault of the command: it was tried 4 times. ' +
        '(1) on worker one on one-host: Engine of one is away; (2) on worker two on two-host: Engine of two is away; ' +
        '(3) on worker three on three-host: Engine of three is away; (4) on worker four on four-host: Engine of four is away',
    );
    const retries = (await eventsOf(uuid)).filter(({ kind }) => kind === 'restaged');
    expect(retries.map(({ text }) => text)).toEqual(
      ['one', 'two', 'three'].map(
        (id, at) =>
          `Worker ${id} could not execute the run: Engine of ${id} is away. That is not the fault of the command: it is tried again (${at + 1} of 3), on another worker if there is one.`,
      ),
    );
  });

  it('gives the only worker a run back after a pause that grows', async () => {
    const tag = newTag();
    const worker = await workerWith('only', tag);
    const uuid = await newRun(tag);
    for (const pause of [5000, 10_000]) {
      const epoch = await begin(worker);
      await worker.report([
        reportOf(uuid, 'finalizing', { epoch, failure_message: 'x', failure_cause: 'container-lost' }),
      ]);
      const awaited = clock.awaited(pause);
      const { details } = await untilState(server, uuid, ['staged']);
      await awaited;
      expect(details).toBeTruthy();
      await worker.checkin({ hold: 0 });
      expect((await viewBundle(server, uuid)).state).toBe('staged');
      clock.advance(pause);
    }
    expect(await begin(worker)).toBe(3);
  });

  it('does not try again what the command is to blame for', async () => {
    const tag = newTag();
    const worker = await workerWith('blame', tag);
    for (const failure_cause of [
      'exit-code',
      'limit',
      'image-refused',
      'dependency-refused',
      'start-refused',
    ]) {
      const uuid = await newRun(tag);
      const epoch = await begin(worker);
      await worker.report([reportOf(uuid, 'finalizing', { epoch, failure_message: 'No.', failure_cause })]);
      expect(await viewBundle(server, uuid)).toMatchObject({
        state: 'failed',
        metadata: { failure_message: 'No.' },
      });
    }
  });

  it('says who wanted the end of a run, once each', async () => {
    const tag = newTag();
    const worker = await workerWith('killed', tag);
    const uuid = await newRun(tag, 'alice');
    const epoch = await begin(worker);
    await worker.report([reportOf(uuid, 'running', { epoch })]);
    await kill(uuid, 'alice');
    await kill(uuid, 'alice');
    await kill(uuid, 'root');
    await worker.report([reportOf(uuid, 'finalizing', { epoch, failure_message: 'Kill requested' })]);

    const texts = (await eventsOf(uuid, 'alice')).slice(3).map(({ text }) => text);
    expect(texts).toEqual([
      'alice asked for the end of the run; its worker is told.',
      'root asked for the end of the run; its worker is told.',
      'The run was stopped: Kill requested.',
    ]);

    const unbegun = await newRun('nobody', 'alice');
    await untilState(server, unbegun, ['staged']);
    await kill(unbegun, 'alice');
    expect((await eventsOf(unbegun)).map(({ text }) => text)).toEqual([
      'alice asked for the end of the run; it ends at once.',
      'The run was stopped as asked for; no worker has it.',
    ]);
  });

  it('notes once what a worker that has lost a run says again and again', async () => {
    const tag = newTag();
    const worker = await workerWith('lost', tag);
    const uuid = await newRun(tag);
    const epoch = await begin(worker);
    await worker.report([reportOf(uuid, 'running', { epoch })]);
    await worker.post('checkout', {});
    await kill(uuid, 'root');
    await worker.checkin({ hold: 0, runs: [reportOf(uuid, 'running', { epoch })] });
    for (let repeat = 0; repeat < 3; repeat += 1) {
      await worker.report([reportOf(uuid, 'running', { epoch })]);
      expect(await worker.start(uuid, epoch)).toBe(false);
    }
    // What was never this worker's is not the run's history.
    expect(await (await workerWith('stranger', newTag())).start(uuid, epoch)).toBe(false);

    expect((await eventsOf(uuid)).slice(3).map(({ kind, text }) => [kind, text])).toEqual([
      ['offline', expect.stringMatching(/^Worker lost has ended; the run goes on when it returns with it/)],
      ['kill-requested', 'root asked for the end of the run; it ends at once.'],
      ['failed', 'The run was stopped as asked for; no worker has it.'],
      ['refused', 'Worker lost still had the run, which is over; it was told to stop it.'],
      ['refused', 'Worker lost asked to begin, but the run is not its own any more; it was told no.'],
    ]);
  });

  it('tells a quota kill once, although every answer repeats it', async () => {
    const tag = newTag();
    const worker = await workerWith('quota', tag);
    const uuid = await newRun(tag, 'poor');
    const epoch = await begin(worker);
    const { queries } = server.services.database;
    await queries.updateTable('user').set({ time_quota: 5 }).where('name', '=', 'poor').execute();
    for (const seconds of [10, 11, 12]) {
      const [answer] = await worker.report([
        reportOf(uuid, 'running', { epoch, container_time_total: seconds }),
      ]);
      expect(answer).toMatchObject({ type: 'kill' });
    }
    const told = (await eventsOf(uuid, 'poor')).filter(({ kind }) => kind === 'kill-requested');
    expect(told.map(({ text }) => text)).toEqual([
      'The time quota of the owner is used up: worker quota is told to stop the run.',
    ]);
  });

  it('gives others at once what a worker that ends has not begun', async () => {
    const tag = newTag();
    const ending = await workerWith('ending', tag);
    const uuid = await newRun(tag);
    await ending.next('run');
    await ending.checkin({ hold: 0, is_terminating: true, ack: [] });

    expect(await begin(newWorker('staying', tag))).toBe(2);
    expect((await eventsOf(uuid)).map(({ text }) => text).slice(0, 3)).toEqual([
      'Given to worker ending, which is asked to begin.',
      'Worker ending takes no more runs; the run waits for another one.',
      'Given to worker staying, which is asked to begin.',
    ]);
  });

  it('names nobody where the bundle is anonymous, except to those who have everything on it', async () => {
    const tag = newTag();
    const worker = await workerWith('secret', tag);
    const uuid = await newRun(tag, 'alice');
    await begin(worker);
    await kill(uuid, 'alice');
    const { queries } = server.services.database;
    await queries.updateTable('bundle').set({ is_anonymous: 1 }).where('uuid', '=', uuid).execute();
    const permission = {
      type: 'bundle-permissions',
      attributes: { permission: 1 },
      relationships: {
        bundle: { data: { type: 'bundles', id: uuid } },
        group: { data: { type: 'groups', id: await publicGroup() } },
      },
    };
    const granted = await server.fetch('/rest/bundle-permissions', {
      as: 'alice',
      method: 'POST',
      json: { data: [permission] },
    });
    expect(granted.status, await granted.text()).toBe(200);

    const shown = JSON.stringify(await eventsOf(uuid, 'bob'));
    expect(shown).toContain('Given to the worker, which is asked to begin.');
    expect(shown).toContain('Somebody asked for the end of the run');
    expect(shown).not.toMatch(/secret|alice/);
    expect(JSON.stringify(await eventsOf(uuid, 'alice'))).toMatch(/worker secret.*alice asked/);
  });
});
