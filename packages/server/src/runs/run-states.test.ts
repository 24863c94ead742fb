import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import {
  createBundle,
  diskUsed,
  putContents,
  until,
  untilState,
  uploadFile,
  viewBundle,
  type NewBundle,
} from './testing/bundles.ts';
import { reportOf, scriptedWorker, type ScriptedWorker } from './testing/scripted-worker.ts';

describe.each(databases)('runs and their workers (%s)', (database) => {
  let server: TestServer;
  let workers = 0;
  beforeAll(async () => {
    server = await startTestServer({ database });
  });
  afterAll(async () => {
    await server.close();
  });

  /** A worker that only the run of the test goes to. */
  const newWorker = async (more: Parameters<typeof scriptedWorker>[1] = {}) => {
    workers += 1;
    const worker = scriptedWorker(server, {
      id: `worker-${workers}`,
      tag: `tag-${workers}`,
      tag_exclusive: true,
      ...more,
    });
    await worker.checkin({ hold: 0 });
    return { worker, tag: `tag-${workers}` };
  };
  const assigned = async (worker: ScriptedWorker, tag: string, more: NewBundle = {}) => {
    const waiting = worker.next('run');
    const uuid = await createBundle(server, { ...more, metadata: { ...more.metadata, request_queue: tag } });
    const { epoch = -1 } = await waiting;
    return { uuid, epoch };
  };
  const running = async (worker: ScriptedWorker, tag: string, more: NewBundle = {}) => {
    const run = await assigned(worker, tag, more);
    expect(await worker.start(run.uuid, run.epoch)).toBe(true);
    await worker.report([reportOf(run.uuid, 'running', { epoch: run.epoch, container_time_total: 1 })]);
    return run;
  };
  const act = async (uuid: string, attributes: object, as = 'root') => {
    const json = { data: [{ type: 'bundle-actions', attributes: { uuid, ...attributes } }] };
    const response = await server.fetch('/rest/bundle-actions', { as, method: 'POST', json });
    return { status: response.status, text: await response.text() };
  };
  const events = async (uuid: string) =>
    (
      await server.services.database.queries
        .selectFrom('bundle_event')
        .select(['kind', 'details'])
        .where('bundle_uuid', '=', uuid)
        .orderBy('id')
        .execute()
    ).map(({ kind, details }) => ({ kind, text: (JSON.parse(details) as { text: string }).text }));

  it('grants a start once, and repeats the answer', async () => {
    const { worker, tag } = await newWorker();
    const { uuid, epoch } = await assigned(worker, tag);
    const other = scriptedWorker(server, { id: 'thief' });
    const stranger = scriptedWorker(server, { id: worker.id, owner: 'mallory' });
    const answers = await Promise.all([
      other.start(uuid, epoch),
      worker.start(uuid, epoch - 1),
      stranger.start(uuid, epoch),
      worker.start(uuid, epoch),
      worker.start(uuid, epoch),
    ]);
    expect(answers).toEqual([false, false, false, true, true]);
    const view = await viewBundle(server, uuid);
    expect(view).toMatchObject({ state: 'preparing', metadata: { remote_history: ['node7'] } });
    expect((await events(uuid)).map(({ kind }) => kind)).toEqual(['assigned', 'started']);
    // What was started is never sent again.
    expect(
      await worker.checkin({ hold: 0, ack: [], runs: [reportOf(uuid, 'preparing', { epoch })] }),
    ).toEqual([]);
  });

  it('delivers again until it is acknowledged, with the same id', async () => {
    const { worker, tag } = await newWorker();
    const waiting = worker.next('run');
    const uuid = await createBundle(server, { metadata: { request_queue: tag } });
    const first = await waiting;
    const [second] = await worker.checkin({ hold: 0, ack: [] });
    expect(second).toEqual(first);
    expect(await worker.checkin({ hold: 0 })).toEqual([]);
    expect(await worker.start(uuid, first.epoch)).toBe(true);
  });

  it('tells one held check-in, and answers an older one at once', async () => {
    const { worker, tag } = await newWorker();
    const older = worker.checkin({ hold: 30 });
    await until(
      async () => (server.execution.checkins.held.count > 0 ? true : undefined),
      'the check-in is held',
    );
    const newer = worker.checkin({ hold: 30 });
    expect(await older).toEqual([]);
    await createBundle(server, { metadata: { request_queue: tag } });
    expect((await newer).map(({ type }) => type)).toEqual(['run']);
  });

  it('kills at once what no worker has, and what has not begun', async () => {
    const waiting = await createBundle(server, { metadata: { request_queue: 'nobody' } });
    await untilState(server, waiting, ['staged']);
    expect((await act(waiting, { type: 'kill' })).status).toBe(200);
    expect(await viewBundle(server, waiting)).toMatchObject({
      state: 'killed',
      metadata: { actions: ['kill'] },
    });
    const { worker, tag } = await newWorker();
    const { uuid, epoch } = await assigned(worker, tag);
    expect((await act(uuid, { type: 'kill' })).status).toBe(200);
    expect((await viewBundle(server, uuid)).state).toBe('killed');
    expect(await worker.start(uuid, epoch)).toBe(false);
    expect(await worker.report([reportOf(uuid, 'running', { epoch })])).toEqual([{ type: 'kill', uuid }]);
    expect(await worker.report([reportOf(uuid, 'finalizing', { epoch })])).toEqual([
      { type: 'mark_finalized', uuid },
    ]);
    const again = await act(uuid, { type: 'kill' });
    expect(again.status).toBe(400);
    expect(again.text).toContain('killed');
  });

  it('kills a running run through its worker, keeping what it had written', async () => {
    const { worker, tag } = await newWorker();
    const { uuid, epoch } = await running(worker, tag);
    const waiting = worker.next('kill', { runs: [reportOf(uuid, 'running', { epoch })] });
    expect((await act(uuid, { type: 'kill' })).status).toBe(200);
    expect(await waiting).toMatchObject({ type: 'kill', uuid });
    expect((await viewBundle(server, uuid)).state).toBe('running');
    // Every answer says so until the worker complies.
    expect(await worker.report([reportOf(uuid, 'running', { epoch })])).toContainEqual({
      type: 'kill',
      uuid,
    });
    const results = await putContents(server, uuid, 'half', {
      query: 'filename=stdout&unpack=0&finalize_on_success=0',
      headers: { 'x-sheaf-epoch': String(epoch) },
    });
    expect(results.status).toBe(200);
    await results.text();
    await worker.report([reportOf(uuid, 'finalizing', { epoch, failure_message: 'Kill requested' })]);
    expect(await viewBundle(server, uuid)).toMatchObject({
      state: 'killed',
      metadata: { actions: ['kill'], failure_message: 'Kill requested', data_size: 4 },
    });
    expect((await events(uuid)).map(({ kind }) => kind)).toEqual([
      'assigned',
      'started',
      'running',
      'kill-requested',
      'failed',
    ]);
  });

  it('does not let others act', async () => {
    const uuid = await createBundle(server, { as: 'alice', metadata: { request_queue: 'nobody' } });
    expect((await act(uuid, { type: 'kill' }, 'mallory')).status).toBe(403);
    expect((await act(uuid, { type: 'dance' }, 'alice')).status).toBe(400);
    expect((await act(`0x${'00'.repeat(16)}`, { type: 'kill' }, 'alice')).status).toBe(404);
    expect((await act(uuid, { type: 'write', subpath: 'a/b', string: 'x' }, 'alice')).status).toBe(400);
    expect((await act(uuid, { type: 'write', subpath: 'a', string: 'x' }, 'alice')).status).toBe(400);
    expect((await act(uuid, { type: 'kill' }, 'alice')).status).toBe(200);
  });

  it('kills uploads, taking back what they have counted', async () => {
    const uuid = await createBundle(server, { as: 'alice', type: 'dataset', query: 'wait_for_upload=1' });
    const before = await diskUsed(server, 'alice');
    expect((await act(uuid, { type: 'kill' }, 'alice')).status).toBe(200);
    const view = await viewBundle(server, uuid, 'alice');
    expect(view.state).toBe('killed');
    expect(view.metadata['actions'] ?? []).toEqual([]);
    expect(await diskUsed(server, 'alice')).toBe(before);
    const late = await putContents(server, uuid, 'late', { as: 'alice', query: 'filename=a' });
    expect(late.status).toBe(403);
    await late.text();
  });

  it('hands a text to the worker, once', async () => {
    const { worker, tag } = await newWorker();
    const { uuid, epoch } = await running(worker, tag);
    const reported = { runs: [reportOf(uuid, 'running', { epoch })] };
    const waiting = worker.next('write', reported);
    const answer = await act(uuid, { type: 'write', subpath: 'message', string: 'hello there' });
    expect(answer.status, answer.text).toBe(200);
    expect(JSON.parse(answer.text)).toMatchObject({ data: [{ type: 'bundle-actions', id: null }] });
    expect(await waiting).toMatchObject({ type: 'write', uuid, subpath: 'message', string: 'hello there' });
    expect((await viewBundle(server, uuid)).metadata['actions']).toEqual(['write\tmessage\thello there']);
    expect(await worker.checkin({ ...reported, hold: 0, ack: [] })).toEqual([]);
  });

  it('ignores a stale attempt, and tells its worker to drop it', async () => {
    const { worker, tag } = await newWorker();
    const { uuid, epoch } = await running(worker, tag);
    await worker.report([reportOf(uuid, 'staged', { epoch })]);
    const next = await worker.next('run');
    expect(next.epoch).toBe(epoch + 1);
    expect(await worker.report([reportOf(uuid, 'running', { epoch })])).toEqual([{ type: 'kill', uuid }]);
    expect(await worker.report([reportOf(uuid, 'finalizing', { epoch, exitcode: 0 })])).toEqual([
      { type: 'mark_finalized', uuid },
    ]);
    expect((await viewBundle(server, uuid)).state).toBe('starting');
    expect(await worker.start(uuid, epoch)).toBe(false);
    expect(await worker.start(uuid, next.epoch)).toBe(true);
    expect((await events(uuid)).map(({ kind }) => kind)).toEqual([
      'assigned',
      'started',
      'running',
      'returned',
      'assigned',
      'refused',
      'refused',
      'started',
    ]);
  });

  it('clears a run that was given back, and returns its bytes', async () => {
    const { worker, tag } = await newWorker();
    const before = await diskUsed(server, 'alice');
    const { uuid, epoch } = await running(worker, tag, { as: 'alice' });
    await worker.report([
      reportOf(uuid, 'running', { epoch, disk_utilization: 5000, container_time_total: 9 }),
    ]);
    expect(await diskUsed(server, 'alice')).toBe(before + 5000);
    await worker.checkin({ hold: 0, is_terminating: true, runs: [reportOf(uuid, 'staged', { epoch })] });
    const view = await viewBundle(server, uuid, 'alice');
    expect(view.state).toBe('staged');
    expect(view.metadata).toMatchObject({ remote_history: ['node7'] });
    expect(view.metadata).not.toHaveProperty('time');
    expect(await diskUsed(server, 'alice')).toBe(before);
  });

  it('gives the bytes back that a run counted for whose worker is away when it is killed', async () => {
    const { worker, tag } = await newWorker();
    const before = await diskUsed(server, 'alice');
    const { uuid, epoch } = await running(worker, tag, { as: 'alice' });
    await worker.report([reportOf(uuid, 'running', { epoch, disk_utilization: 5000 })]);
    await worker.post('checkout', {});
    expect((await viewBundle(server, uuid, 'alice')).state).toBe('worker_offline');
    expect((await act(uuid, { type: 'kill' }, 'alice')).status).toBe(200);
    const view = await viewBundle(server, uuid, 'alice');
    expect(view).toMatchObject({ state: 'killed', metadata: { data_size: 0 } });
    expect(await diskUsed(server, 'alice')).toBe(before);
  });

  it('accepts a run whose start was granted although the answer was lost', async () => {
    const { worker, tag } = await newWorker();
    const { uuid, epoch } = await assigned(worker, tag);
    await worker.report([reportOf(uuid, 'running', { epoch })]);
    expect((await viewBundle(server, uuid)).state).toBe('running');
    await worker.report([reportOf(uuid, 'preparing', { epoch })]);
    expect((await viewBundle(server, uuid)).state).toBe('running');
  });

  it('loses a run that its worker has forgotten, at the second silence', async () => {
    const { worker, tag } = await newWorker();
    const lost = await running(worker, tag);
    await worker.checkin({ hold: 0, runs: [] });
    expect((await viewBundle(server, lost.uuid)).state).toBe('running');
    await worker.checkin({ hold: 0, runs: [] });
    expect(await viewBundle(server, lost.uuid)).toMatchObject({
      state: 'worker_offline',
      metadata: { run_status: expect.stringContaining('does not know the run') as unknown },
    });
    // It was only slow to say so.
    await worker.checkin({ hold: 0, runs: [reportOf(lost.uuid, 'running', { epoch: lost.epoch })] });
    expect((await viewBundle(server, lost.uuid)).state).toBe('running');
    expect((await events(lost.uuid)).map(({ kind }) => kind)).toEqual([
      'assigned',
      'started',
      'running',
      'offline',
      'reattached',
    ]);

    const { uuid, epoch } = await assigned(worker, tag);
    await worker.start(uuid, epoch);
    const kept = [reportOf(lost.uuid, 'running', { epoch: lost.epoch })];
    await worker.checkin({ hold: 0, runs: kept });
    expect((await viewBundle(server, uuid)).state).toBe('preparing');
    await worker.checkin({ hold: 0, runs: kept, is_terminating: true });
    expect((await viewBundle(server, uuid)).state).toBe('staged');
  });

  it('lets the runs of a worker that leaves wait for its return, and goes on with them', async () => {
    const { worker, tag } = await newWorker();
    const { uuid, epoch } = await running(worker, tag);
    const finishing = await running(worker, tag);
    await worker.post('checkout', {});
    expect((await viewBundle(server, uuid)).state).toBe('worker_offline');
    const refused = await worker.post('report', { runs: [] });
    expect(refused.status).toBe(409);
    await refused.text();
    const upload = await putContents(server, uuid, 'late', {
      query: 'filename=a&unpack=0&finalize_on_success=0',
      headers: { 'x-sheaf-epoch': String(epoch) },
    });
    expect(upload.status, await upload.text()).toBe(200);
    const answer = await worker.checkin({
      hold: 0,
      runs: [
        reportOf(uuid, 'finalizing', { epoch, exitcode: 0 }),
        reportOf(finishing.uuid, 'running', { epoch: finishing.epoch }),
      ],
    });
    expect(answer).toContainEqual({ type: 'mark_finalized', uuid });
    expect((await viewBundle(server, uuid)).state).toBe('ready');
    expect((await viewBundle(server, finishing.uuid)).state).toBe('running');
  });

  it('kills what a lost worker has, at once', async () => {
    const { worker, tag } = await newWorker();
    const { uuid, epoch } = await running(worker, tag);
    await worker.post('checkout', {});
    expect((await act(uuid, { type: 'kill' })).status).toBe(200);
    expect((await viewBundle(server, uuid)).state).toBe('killed');
    const answer = await worker.checkin({ hold: 0, runs: [reportOf(uuid, 'running', { epoch })] });
    expect(answer).toContainEqual({ type: 'kill', uuid });
  });

  it('gives runs of preemptible workers to others, which see where they were', async () => {
    const { worker, tag } = await newWorker({ preemptible: true, hostname: 'spot-1' });
    const { uuid, epoch } = await running(worker, tag);
    expect((await viewBundle(server, uuid)).metadata['on_preemptible_worker']).toBe(true);
    await worker.post('checkout', {});
    expect(await viewBundle(server, uuid)).toMatchObject({
      state: 'staged',
      metadata: { remote_history: ['spot-1'], time: 1 },
    });
    const second = scriptedWorker(server, { id: 'spot-2', tag, tag_exclusive: true, hostname: 'spot-2' });
    const next = await second.next('run');
    expect(await second.start(uuid, next.epoch)).toBe(true);
    expect((await viewBundle(server, uuid)).metadata['remote_history']).toEqual(['spot-1', 'spot-2']);
    expect(await worker.start(uuid, epoch)).toBe(false);
  });

  it('tries a run elsewhere when the platform is to blame', async () => {
    const { worker, tag } = await newWorker();
    const { uuid, epoch } = await running(worker, tag);
    const spoilt = reportOf(uuid, 'finalizing', {
      epoch,
      failure_message: 'No engine.',
      platform_failure: true,
    });
    expect(await worker.report([spoilt])).toContainEqual({ type: 'mark_finalized', uuid });
    // Elsewhere: the worker itself gets it back only after a pause.
    const second = scriptedWorker(server, { id: 'second', tag, tag_exclusive: true });
    const next = await second.next('run');
    expect(next.epoch).toBe(epoch + 1);
    expect((await events(uuid)).find(({ kind }) => kind === 'restaged')?.text).toContain('No engine.');
  });

  it('charges time of public workers only, and never backwards', async () => {
    const used = async () =>
      (
        await server.services.database.queries
          .selectFrom('user')
          .select('time_used')
          .where('name', '=', 'tim')
          .executeTakeFirstOrThrow()
      ).time_used;
    await server.tokenFor('tim');
    const { worker, tag } = await newWorker();
    const { uuid, epoch } = await running(worker, tag, { as: 'tim' });
    for (const seconds of [10, 7, 12]) {
      await worker.report([reportOf(uuid, 'running', { epoch, container_time_total: seconds })]);
    }
    expect(await used()).toBe(12);
    const own = await newWorker({ owner: 'tim' });
    const mine = await running(own.worker, own.tag, { as: 'tim' });
    await own.worker.report([
      reportOf(mine.uuid, 'running', { epoch: mine.epoch, container_time_total: 100 }),
    ]);
    expect(await used()).toBe(12);
  });

  it('kills for quota with the known words, for disk only after a while', async () => {
    const { queries } = server.services.database;
    await server.tokenFor('poor');
    const { worker, tag } = await newWorker();
    const { uuid, epoch } = await running(worker, tag, { as: 'poor' });
    await queries.updateTable('user').set({ disk_quota: 1000 }).where('name', '=', 'poor').execute();
    const timing = { 'RUN_STAGE.RUNNING': { start: 1, end: null, elapsed: 1 } };
    const big = { epoch, disk_utilization: 2000, bundle_profile_stats: timing };
    expect(await worker.report([reportOf(uuid, 'running', { ...big, container_time_total: 2 })])).toEqual([]);
    const link =
      'To apply for more quota, please visit the following link: https://codalab-worksheets.readthedocs.io/en/latest/FAQ/#how-do-i-request-more-disk-quota-or-time-quota';
    expect(await worker.report([reportOf(uuid, 'running', { ...big, container_time_total: 6 })])).toEqual([
      { type: 'kill', uuid, kill_message: `Kill requested: User disk quota exceeded. ${link}` },
    ]);
    const ended = { 'RUN_STAGE.RUNNING': { start: 1, end: 7, elapsed: 6 } };
    expect(
      await worker.report([
        reportOf(uuid, 'running', { ...big, bundle_profile_stats: ended, container_time_total: 7 }),
      ]),
    ).toEqual([]);
    await queries.updateTable('user').set({ time_quota: 7 }).where('name', '=', 'poor').execute();
    expect(await worker.report([reportOf(uuid, 'running', { ...big, container_time_total: 8 })])).toEqual([
      { type: 'kill', uuid, kill_message: `Kill requested: User time quota exceeded. ${link}` },
    ]);
  });

  it('ends a run failed whose results do not fit, and returns what it had counted', async () => {
    const { queries } = server.services.database;
    await server.tokenFor('full');
    const { worker, tag } = await newWorker();
    const { uuid, epoch } = await running(worker, tag, { as: 'full' });
    await queries.updateTable('user').set({ disk_quota: 10 }).where('name', '=', 'full').execute();
    await worker.report([reportOf(uuid, 'running', { epoch, disk_utilization: 1000 })]);
    const upload = await putContents(server, uuid, 'x'.repeat(1000), {
      query: 'filename=a&unpack=0&finalize_on_success=0',
      headers: { 'x-sheaf-epoch': String(epoch) },
    });
    expect(upload.status).toBe(400);
    const reason = await upload.text();
    expect(reason).toContain('disk quota exceeded');
    expect(await viewBundle(server, uuid, 'full')).toMatchObject({
      state: 'running',
      metadata: { failure_message: reason, data_size: 0 },
    });
    expect(await diskUsed(server, 'full')).toBe(0);
    // Measurements of what was refused count no more.
    await worker.report([reportOf(uuid, 'running', { epoch, disk_utilization: 1000 })]);
    expect(await diskUsed(server, 'full')).toBe(0);
    await worker.report([reportOf(uuid, 'finalizing', { epoch, exitcode: 0, disk_utilization: 1000 })]);
    expect(await viewBundle(server, uuid, 'full')).toMatchObject({
      state: 'failed',
      metadata: { failure_message: reason },
    });
    expect(await diskUsed(server, 'full')).toBe(0);
  });

  it('stages children when their parents are done, or fails them', async () => {
    const { worker, tag } = await newWorker();
    const { uuid, epoch } = await running(worker, tag);
    const child = await createBundle(server, {
      metadata: { request_queue: 'nobody' },
      dependencies: [{ child_path: 'p', parent_uuid: uuid }],
    });
    const lenient = await createBundle(server, {
      metadata: { request_queue: 'nobody', allow_failed_dependencies: true },
      dependencies: [{ child_path: 'p', parent_uuid: uuid }],
    });
    const orphan = await createBundle(server, {
      dependencies: [{ child_path: 'p', parent_uuid: `0x${'12'.repeat(16)}` }],
    });
    expect((await untilState(server, orphan, ['failed'])).metadata['failure_message']).toContain(
      'Missing parent bundles',
    );
    const hollow = await createBundle(server, {
      metadata: { request_queue: 'nobody', allow_failed_dependencies: true },
      dependencies: [{ child_path: 'p', parent_uuid: uuid, parent_path: 'not/there' }],
    });
    expect(await viewBundle(server, child)).toMatchObject({
      state: 'created',
      details: expect.stringMatching(/^Waiting for run-of-test\(0x\w{6}\) \(\w+\)\.$/) as string,
    });
    const query = 'filename=stdout&unpack=0&finalize_on_success=0';
    expect((await putContents(server, uuid, 'out', { query })).status).toBe(200);
    await worker.report([reportOf(uuid, 'finalizing', { epoch, exitcode: 1 })]);
    expect((await untilState(server, child, ['failed'])).metadata['failure_message']).toContain(
      'Please use the --allow-failed-dependencies flag',
    );
    await untilState(server, lenient, ['staged']);
    expect((await untilState(server, hollow, ['failed'])).metadata['failure_message']).toContain(
      `Invalid dependency p: there is nothing at not/there in run-of-test(${uuid}).`,
    );
    const secret = await uploadFile(server, 'secret', { as: 'alice' });
    const curious = await createBundle(server, {
      as: 'eve',
      dependencies: [{ child_path: 'p', parent_uuid: secret }],
    });
    expect((await untilState(server, curious, ['failed'], 'eve')).metadata['failure_message']).toContain(
      'does not have sufficient permissions',
    );
  });

  it('says why a run waits, and fails what can never run', async () => {
    const { worker } = await newWorker();
    await worker.checkin({ hold: 0 });
    const big = await createBundle(server, { metadata: { request_gpus: 3 } });
    const view = await until(async () => {
      const now = await viewBundle(server, big);
      return now.details?.startsWith('No worker can meet') === true ? now : undefined;
    }, 'the reason is noted');
    expect(view.details).toContain('Available resources: [');
    await server.tokenFor('broke');
    await server.services.database.queries
      .updateTable('user')
      .set({ disk_quota: 2 * 1024 ** 3 })
      .where('name', '=', 'broke')
      .execute();
    const greedy = await createBundle(server, { as: 'broke', metadata: { request_disk: '3g' } });
    expect((await untilState(server, greedy, ['failed'], 'broke')).metadata['failure_message']).toContain(
      'Requested more disk',
    );
    const tiny = await createBundle(server, { metadata: { request_memory: '1m' } });
    expect((await untilState(server, tiny, ['failed'])).metadata['failure_message']).toContain(
      'Requested less memory',
    );
  });

  it('has not needed its safety net', () => {
    expect(server.execution.counters.foundByTick).toBe(0);
    expect(server.execution.counters.passes).toBeGreaterThan(10);
  });
});
