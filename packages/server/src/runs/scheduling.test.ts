import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allowOn, ask, makeGroup } from '../testing/records.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { createBundle, until, untilState, uploadFile, viewBundle } from './testing/bundles.ts';
import { scriptedWorker, type ScriptedWorker } from './testing/scripted-worker.ts';

const gibibyte = 1024 ** 3;

describe.each(databases)('scheduling (%s)', (database) => {
  let server: TestServer;
  beforeEach(async () => {
    server = await startTestServer({ database });
  });
  afterEach(async () => {
    await server.close();
  });

  /** The runs that have gone to a worker, in the order in which it is told. */
  const runsOf = async (worker: ScriptedWorker, more: object = {}) =>
    (await worker.checkin({ hold: 0, ack: [], ...more })).flatMap((message) =>
      message.type === 'run' ? [message.bundle.uuid] : [],
    );
  const staged = async (more: Parameters<typeof createBundle>[1] = {}) => {
    const uuid = await createBundle(server, more);
    await untilState(server, uuid, ['staged', 'failed'], more.as);
    return uuid;
  };
  const untilDetails = (uuid: string, text: string, as = 'root') =>
    until(async () => {
      const { details } = await viewBundle(server, uuid, as);
      return details?.includes(text) === true ? details : undefined;
    }, text);
  const stagedOnly = async (uuids: readonly string[]) => {
    const states = await Promise.all(uuids.map(async (uuid) => (await viewBundle(server, uuid)).state));
    return states.every((state) => state === 'staged');
  };

  describe('requests', () => {
    it('arrive at the worker as they were meant', async () => {
      const worker = scriptedWorker(server, { gpus: 2, tag: 'big' });
      const next = worker.next('run');
      await createBundle(server, {
        metadata: {
          request_cpus: 3,
          request_gpus: 2,
          request_memory: '1.5G',
          request_disk: '10m',
          request_time: '2h',
          request_shared_memory: '256m',
          request_network: false,
          request_queue: 'tag=big',
          request_priority: -3,
          request_docker_image: 'registry.example:5000/team/image',
        },
      });
      expect((await next).resources).toEqual({
        cpus: 3,
        gpus: 2,
        memory: 1.5 * gibibyte,
        disk: 10 * 1024 ** 2,
        time: 7200,
        shared_memory: 256 * 1024 ** 2,
        network: false,
        tag: 'tag=big',
        docker_image: 'registry.example:5000/team/image:latest',
        image_requested: true,
        tag_exclusive: false,
        runs_left: null,
      });
    });

    it('have defaults where they are empty, 0 or missing', async () => {
      const worker = scriptedWorker(server);
      const { cpu } = server.services.settings.images;
      const defaults = {
        cpus: 1,
        gpus: 0,
        memory: 2 * gibibyte,
        disk: 0,
        time: 0,
        tag: '',
        docker_image: cpu,
        image_requested: false,
      };
      for (const metadata of [
        { request_cpus: 0, request_memory: '0', request_disk: '0', request_time: '0' },
        { request_memory: '', request_shared_memory: '' },
        {
          request_memory: null,
          request_cpus: null,
          request_gpus: null,
          request_disk: null,
          request_time: null,
        },
      ]) {
        const next = worker.next('run');
        await createBundle(server, { metadata });
        const { resources } = await next;
        expect(resources).toMatchObject({ ...defaults, network: true });
        expect(resources).not.toHaveProperty('shared_memory');
      }
    });

    it.each([
      [{ request_memory: '3kb' }, 'Invalid size: 3kb, expected <number>[<k|m|g|t>]'],
      [{ request_memory: '-1' }, 'Invalid size: -1, expected <number>[<k|m|g|t>]'],
      [{ request_disk: '10.5' }, 'Invalid size: 10.5, expected <number>[<k|m|g|t>]'],
      [{ request_disk: '99999999t' }, 'Invalid size: 99999999t, expected <number>[<k|m|g|t>]'],
      [{ request_shared_memory: 'big' }, 'Invalid size: big, expected <number>[<k|m|g|t>]'],
      [{ request_time: '1d2h' }, 'Invalid duration: 1d2h, expected <number>[<s|m|h|d|y>]'],
      [{ request_time: '-3' }, 'Invalid duration: -3, expected <number>[<s|m|h|d|y>]'],
      [{ request_cpus: -1 }, 'Metadata value for request_cpus should be 0 or more, not -1'],
      [{ request_gpus: -1 }, 'Metadata value for request_gpus should be 0 or more, not -1'],
      [{ request_cpus: '2' }, 'should be of type int'],
      [{ request_cpus: 1e300 }, 'should be of type int'],
      [{ request_gpus: 1.5 }, 'should be of type int'],
      [{ request_priority: 'high' }, 'should be of type int'],
      [{ request_network: 'no' }, 'should be of type bool'],
      [{ request_queue: 7 }, 'should be of type str'],
      [{ request_docker_image: ['x'] }, 'should be of type str'],
    ])('that make no sense are refused at once: %j', async (metadata, text) => {
      const attributes = {
        bundle_type: 'run',
        command: 'true',
        metadata: { ...plainRun, ...metadata },
        dependencies: [],
      };
      const answer = await ask(server, '/rest/bundles?detached=1', {
        as: 'root',
        method: 'POST',
        json: { data: [{ type: 'bundles', attributes }] },
      });
      expect(answer.status).toBe(400);
      expect(answer.text).toContain(text);
    });

    it('can be changed while the run waits, and then are what counts', async () => {
      const worker = scriptedWorker(server);
      await worker.checkin({ hold: 0 });
      const uuid = await staged({ metadata: { request_cpus: 64 } });
      await untilDetails(
        uuid,
        '[4 CPUs (64 requested)]. No worker is large enough: the most that any has is 4 CPUs.',
      );
      const json = { data: [{ type: 'bundles', id: uuid, attributes: { metadata: { request_cpus: '4' } } }] };
      const next = worker.next('run');
      expect((await ask(server, '/rest/bundles', { as: 'root', method: 'PATCH', json })).status).toBe(200);
      expect((await next).resources.cpus).toBe(4);
    });

    it('that exceed a limit fail with every text', async () => {
      const limits = {
        ...server.services.settings.limits,
        requestTimeMax: 3600,
        requestMemoryMax: 4 * gibibyte,
        requestDiskMax: gibibyte,
      };
      const strict = await startTestServer({ database, settings: { limits } });
      try {
        const fails = async (metadata: Record<string, unknown>) => {
          const uuid = await createBundle(strict, { metadata });
          return (await untilState(strict, uuid, ['failed'])).metadata['failure_message'];
        };
        expect(await fails({ request_memory: '5g', request_time: '2h', request_disk: '1.5g' })).toBe(
          'Maximum job disk size (1g) exceeded (1.5g). Maximum job time (1h0m) exceeded (2h0m). ' +
            'Requested more memory (5g) than maximum limit (4g) by 1g',
        );
        expect(await fails({ request_memory: '1m' })).toBe(
          'Requested less memory (1m) than minimum limit (4m) by 3m',
        );
        const fine = await createBundle(strict, { metadata: { request_time: '0', request_queue: 'x' } });
        await untilState(strict, fine, ['staged']);
        const next = scriptedWorker(strict, { tag: 'x' }).next('run');
        expect((await next).resources).toMatchObject({ time: 3600, disk: gibibyte });
        // What nobody asked for is no reason to refuse a run, however little is left of a quota.
        await strict.services.database.queries
          .updateTable('user')
          .set({ disk_quota: 1.25 * gibibyte })
          .execute();
        expect(await fails({ request_disk: '800m' })).toContain('than user disk quota left (768m)');
        const modest = scriptedWorker(strict, { id: 'modest', tag: 'y' }).next('run');
        const unasked = await createBundle(strict, { metadata: { request_queue: 'y' } });
        expect(await modest).toMatchObject({ bundle: { uuid: unasked }, resources: { disk: gibibyte } });
      } finally {
        await strict.close();
      }
    });
  });

  it('prefers own workers to everybody’s, and keeps to the quota of parallel runs', async () => {
    await server.createUser({ name: 'alice', parallelRuns: 2 });
    const common = scriptedWorker(server, { id: 'common', cpus: 8 });
    const own = scriptedWorker(server, { id: 'own', owner: 'alice', cpus: 1 });
    await common.checkin({ hold: 0 });
    await own.checkin({ hold: 0 });
    const runs: string[] = [];
    for (let number = 0; number < 4; number += 1) runs.push(await createBundle(server, { as: 'alice' }));
    await untilDetails(
      runs[3] ?? '',
      'You have 2 runs on shared workers, as many as your quota allows',
      'alice',
    );
    expect(await runsOf(own)).toEqual([runs[0]]);
    expect(await runsOf(common)).toEqual([runs[1], runs[2]]);
    // Others are not concerned.
    const bobs = await createBundle(server, { as: 'bob' });
    await untilState(server, bobs, ['starting'], 'bob');
  });

  it('counts runs on workers of a group against the quota, and asks the worker’s owner’s permission', async () => {
    await server.createUser({ name: 'alice', parallelRuns: 1 });
    const group = await makeGroup(server, 'carol', `team_${database}`, ['alice']);
    const shared = scriptedWorker(server, { id: 'shared', owner: 'carol', group_name: `team_${database}` });
    await shared.checkin({ hold: 0 });
    const uuid = await staged({ as: 'alice' });
    await untilDetails(uuid, 'belong to users who may not control this run', 'alice');
    await allowOn(server, 'bundle', 'alice', uuid, group, 2);
    await untilState(server, uuid, ['starting'], 'alice');
    expect(await runsOf(shared)).toEqual([uuid]);
    const common = scriptedWorker(server, { id: 'common' });
    await common.checkin({ hold: 0 });
    const second = await staged({ as: 'alice' });
    await untilDetails(second, 'You have 1 run on shared workers', 'alice');
  });

  it('looks again at once when somebody’s rights or quotas have changed', async () => {
    const { id } = await server.createUser({ name: 'alice', parallelRuns: 0 });
    const name = `team_${database}`;
    await makeGroup(server, 'carol', name);
    const shared = scriptedWorker(server, { id: 'shared', owner: 'carol', group_name: name });
    const common = scriptedWorker(server, { id: 'common', tag: 'x', tag_exclusive: true });
    await shared.checkin({ hold: 0 });
    await common.checkin({ hold: 0 });
    const run = await staged({ as: 'alice' });
    const queued = await staged({ as: 'alice', metadata: { request_queue: 'x' } });
    await untilDetails(queued, 'Your quota allows you no runs on shared workers', 'alice');

    const members = `/rest/groups/${name}/relationships/members`;
    const json = { data: [{ type: 'users', id }] };
    expect((await ask(server, members, { as: 'carol', method: 'POST', json })).status).toBe(200);
    await untilDetails(run, 'belong to users who may not control this run', 'alice');
    const attributes = { parallel_run_quota: 1 };
    const quota = { data: [{ type: 'users', id, attributes }] };
    expect((await ask(server, '/rest/users', { as: 'root', method: 'PATCH', json: quota })).status).toBe(200);
    await untilState(server, queued, ['starting'], 'alice');
    expect(server.execution.counters.foundByTick).toBe(0);
  });

  it('gives a worker no more runs than it will start, also while its own count lags behind', async () => {
    const worker = scriptedWorker(server, { exit_after_num_runs: 2 });
    await worker.checkin({ hold: 0 });
    const runs = [await createBundle(server), await createBundle(server), await createBundle(server)];
    await untilDetails(runs[2] ?? '', 'told to end after a number of runs');
    const left = async () =>
      (
        (await (await server.fetch('/rest/workers/info', { as: 'root' })).json()) as {
          data: { exit_after_num_runs: number }[];
        }
      ).data[0]?.exit_after_num_runs;
    expect(await left()).toBe(0);
    // It has begun neither yet, and says so.
    expect(await runsOf(worker)).toEqual(runs.slice(0, 2));
    expect(await left()).toBe(0);
    const messages = await worker.checkin({ hold: 0, ack: [] });
    for (const message of messages) {
      if (message.type === 'run') expect(await worker.start(message.bundle.uuid, message.epoch)).toBe(true);
    }
    await worker.checkin({ hold: 0, exit_after_num_runs: 0 });
    expect(await left()).toBe(0);
    expect((await viewBundle(server, runs[2] ?? '')).state).toBe('staged');
  });

  it('gives nothing to a worker that leaves, and tells so', async () => {
    const worker = scriptedWorker(server);
    await worker.checkin({ hold: 0, is_terminating: true });
    const uuid = await staged();
    await untilDetails(uuid, 'Every worker that may take your runs is shutting down');
    await worker.checkin({ hold: 0 });
    await untilState(server, uuid, ['starting']);
  });

  it('knows slots, tags and exclusive tags', async () => {
    const slotted = scriptedWorker(server, { id: 'slotted', slots: 1 });
    const reserved = scriptedWorker(server, { id: 'reserved', tag: 'x', tag_exclusive: true });
    await slotted.checkin({ hold: 0 });
    await reserved.checkin({ hold: 0 });
    const first = await createBundle(server);
    await untilState(server, first, ['starting']);
    const second = await staged();
    await untilDetails(second, 'Available resources: [], [0 slots (1 requested)]. The run starts when');
    const named = await createBundle(server, { metadata: { request_queue: 'x' } });
    const prefixed = await createBundle(server, { metadata: { request_queue: 'tag=x' } });
    await untilState(server, prefixed, ['starting']);
    const nobodys = await staged({ metadata: { request_queue: 'tag=' } });
    await untilDetails(nobodys, '[No queue (tag= requested), 0 slots (1 requested)]');
    expect(await runsOf(reserved)).toEqual([named, prefixed]);
    expect(await runsOf(slotted)).toEqual([first]);
  });

  it('lets a few runs of one user through a crowd of another’s', async () => {
    const crowd: string[] = [];
    for (let number = 0; number < 20; number += 1) {
      crowd.push(await createBundle(server, { as: 'alice' }));
    }
    const few = [await createBundle(server, { as: 'bob' }), await createBundle(server, { as: 'bob' })];
    await until(async () => ((await stagedOnly([...crowd, ...few])) ? true : undefined), 'all wait');
    const worker = scriptedWorker(server, { cpus: 4 });
    await worker.checkin({ hold: 0 });
    await untilState(server, few[1] ?? '', ['starting'], 'bob');
    expect(await runsOf(worker)).toEqual([crowd[0], few[0], crowd[1], few[1]]);
  });

  it('sends a run where most of its bytes are already', async () => {
    const big = await uploadFile(server, 'x'.repeat(100_000));
    const small = [await uploadFile(server, 'a'), await uploadFile(server, 'b')];
    const holding = (id: string, uuids: readonly string[]) =>
      scriptedWorker(server, { id, dependencies: uuids.map((uuid): [string, string] => [uuid, '']) });
    const hasSmall = holding('small', small);
    const hasBig = holding('big', [big]);
    await hasSmall.checkin({ hold: 0 });
    await hasBig.checkin({ hold: 0 });
    const uuid = await createBundle(server, {
      dependencies: [big, ...small].map((parent_uuid, at) => ({ child_path: `d${at}`, parent_uuid })),
    });
    await untilState(server, uuid, ['starting']);
    expect(await runsOf(hasBig)).toEqual([uuid]);
    expect(await runsOf(hasSmall)).toEqual([]);
  });

  it('tells where a run stands until it runs', async () => {
    const parent = await staged({ metadata: { request_queue: 'nobody', name: 'train' } });
    const child = await createBundle(server, {
      dependencies: [{ child_path: 'p', parent_uuid: parent }],
      metadata: { request_queue: 'soon' },
    });
    const short = parent.slice(0, 8);
    expect((await viewBundle(server, child)).details).toBe(`Waiting for train(${short}) (staged).`);
    const watched = (await (
      await server.fetch(`/rest/bundles/${child}/changes?after=0`, { as: 'root' })
    ).json()) as { data: { state_details: string } };
    expect(watched.data.state_details).toBe(`Waiting for train(${short}) (staged).`);
    const worker = scriptedWorker(server, { id: 'w9', tag: 'nobody' });
    await worker.checkin({ hold: 0 });
    await untilState(server, parent, ['starting']);
    expect((await viewBundle(server, child)).details).toBe(`Waiting for train(${short}) (starting).`);
    expect((await viewBundle(server, parent)).details).toBe(
      'Offered to the worker w9, which has not begun yet.',
    );
    const [message] = await worker.checkin({ hold: 0, ack: [] });
    const epoch = message?.type === 'run' ? message.epoch : undefined;
    expect(await worker.start(parent, epoch)).toBe(true);
    expect((await worker.post('checkout', {})).status).toBe(200);
    const { details } = await untilState(server, parent, ['worker_offline', 'staged']);
    // Which worker, since when, and what will become of the run.
    expect(details).toMatch(/^The worker w9 .*\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC.*goes on/);
  });

  it('names no worker of an anonymous run', async () => {
    const worker = scriptedWorker(server, { id: 'marias-machine', tag: 'm' });
    const uuid = await staged({ metadata: { request_queue: 'm' } });
    const json = { data: [{ type: 'bundles', id: uuid, attributes: { is_anonymous: true } }] };
    expect((await ask(server, '/rest/bundles', { as: 'root', method: 'PATCH', json })).status).toBe(200);
    await worker.checkin({ hold: 0 });
    const { details } = await untilState(server, uuid, ['starting']);
    expect(details).toBe('Offered to a worker that has not begun yet.');
  });
});

const plainRun = {
  name: 'r',
  description: '',
  tags: [],
  allow_failed_dependencies: false,
  request_docker_image: '',
  request_time: '',
  request_memory: '2g',
  request_disk: '',
  request_cpus: 1,
  request_gpus: 0,
  request_queue: '',
  request_priority: 0,
  request_network: true,
  exclude_patterns: [],
  store: '',
};
