/* Finding a run that need not be executed again, over HTTP, with a worker that does what the test says. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBundle, putContents, untilState, uploadFile, viewBundle } from '../runs/testing/bundles.ts';
import { reportOf, scriptedWorker, type ScriptedWorker } from '../runs/testing/scripted-worker.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';

interface Asked {
  as?: string;
  command?: string;
  metadata?: Record<string, unknown>;
  dependencies?: { child_path: string; parent_uuid: string; parent_path?: string }[];
}

const imageA = `sha256:${'a'.repeat(64)}`;
const imageB = `sha256:${'b'.repeat(64)}`;
const base = {
  name: 'asked',
  description: '',
  tags: [],
  request_docker_image: 'tool:1',
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
  allow_failed_dependencies: false,
};

describe.each(databases)('the same result (%s)', (database) => {
  let server: TestServer;
  let worker: ScriptedWorker;
  let place: string;
  let input: string;
  beforeAll(async () => {
    place = realpathSync(mkdtempSync(join(tmpdir(), 'sheaf-same-')));
    mkdirSync(join(place, 'links'));
    writeFileSync(join(place, 'links', 'data'), 'linked');
    server = await startTestServer({ database, settings: { linkRoots: [join(place, 'links')] } });
    worker = scriptedWorker(server);
    input = await uploadFile(server, 'data');
  });
  afterAll(async () => {
    await server.close();
    rmSync(place, { recursive: true });
  });

  const ask = async ({ as = 'root', command = 'work', metadata = {}, dependencies = [] }: Asked = {}) => {
    const attributes = {
      bundle_type: 'run',
      command,
      metadata: { ...base, ...metadata },
      dependencies: dependencies.map((one) => ({ parent_path: '', ...one })),
    };
    const response = await server.fetch('/rest/bundles/memoized', {
      as,
      method: 'POST',
      json: { data: [{ type: 'bundles', attributes }] },
    });
    const text = await response.text();
    if (response.status !== 200) return { status: response.status, text };
    const answer = JSON.parse(text) as { data: { id: string }[]; meta: { found: string; reason?: string } };
    return { found: answer.meta.found, uuid: answer.data[0]?.id, reason: answer.meta.reason };
  };
  const none = { found: 'none', uuid: undefined, reason: undefined };

  const create = ({ as = 'root', command = 'work', metadata = {}, dependencies = [] }: Asked = {}) =>
    createBundle(server, {
      as,
      command,
      metadata: { request_docker_image: 'tool:1', ...metadata },
      dependencies,
    });

  /** Executes what was created last, as far as the server can see. */
  const execute = async (
    uuid: string,
    { by = worker, image = imageA as string | null, exitcode = 0, runtime = 'docker' } = {},
  ) => {
    const message = await by.next('run');
    expect(message.bundle.uuid).toBe(uuid);
    expect(await by.start(uuid, message.epoch)).toBe(true);
    const query = 'filename=stdout&unpack=0&finalize_on_success=0';
    const put = await putContents(server, uuid, `out of ${uuid}`, { as: by.owner, query });
    expect(put.status, await put.text()).toBe(200);
    const docker_image = image === null ? null : `registry.example:5000/tool@${image}`;
    await by.report([
      reportOf(uuid, 'finalizing', {
        exitcode,
        docker_image,
        runtime,
        ...(message.epoch === undefined ? {} : { epoch: message.epoch }),
      }),
    ]);
    return (await viewBundle(server, uuid)).state;
  };
  const done = async (asked: Asked = {}, how: Parameters<typeof execute>[1] = {}) => {
    const uuid = await create(asked);
    await execute(uuid, how);
    return uuid;
  };
  const share = async (uuid: string) => {
    const groups = (await (await server.fetch('/rest/groups', { as: 'root' })).json()) as {
      data: { id: string; attributes: { name: string } }[];
    };
    const id = groups.data.find((group) => group.attributes.name === 'public')?.id;
    const relationships = {
      bundle: { data: { type: 'bundles', id: uuid } },
      group: { data: { type: 'groups', id } },
    };
    const answer = await server.fetch('/rest/bundle-permissions', {
      as: 'root',
      method: 'POST',
      json: { data: [{ type: 'bundle-permissions', attributes: { permission: 1 }, relationships }] },
    });
    expect(answer.status, await answer.text()).toBe(200);
  };

  it('is found for the same contents, whatever holds them and in whatever order they are named', async () => {
    const [other, copy] = [await uploadFile(server, 'other'), await uploadFile(server, 'data')];
    const dependencies = [
      { child_path: 'a', parent_uuid: input },
      { child_path: 'b', parent_uuid: other },
    ];
    const uuid = await done({ command: 'cat a b', dependencies });
    expect((await viewBundle(server, uuid)).metadata['action_key']).toMatch(/^[0-9a-f]{64}$/);
    const hit = { found: 'ready', uuid, reason: undefined };
    expect(await ask({ command: 'cat a b', dependencies })).toEqual(hit);
    expect(await ask({ command: 'cat a b', dependencies: dependencies.toReversed() })).toEqual(hit);
    const moved = await createBundle(server, {
      type: 'make',
      dependencies: [{ child_path: 'deep/x', parent_uuid: copy }],
    });
    await untilState(server, moved, ['ready']);
    const again = [
      { child_path: './a/', parent_uuid: moved, parent_path: 'deep/x' },
      { child_path: 'b', parent_uuid: other },
    ];
    expect(await ask({ command: 'cat a b', dependencies: again })).toEqual(hit);
    expect(
      await ask({ command: 'cat a b', dependencies: again, metadata: { request_memory: '7g', name: 'x' } }),
    ).toEqual(hit);

    const [, second] = dependencies;
    const changed: Asked[] = [
      { dependencies: dependencies.slice(0, 1) },
      {
        dependencies: [
          { child_path: 'a', parent_uuid: other },
          { child_path: 'b', parent_uuid: other },
        ],
      },
      { dependencies: [{ child_path: 'c', parent_uuid: input }, ...(second === undefined ? [] : [second])] },
      { dependencies, command: 'cat  a b' },
      { dependencies, metadata: { request_network: false } },
      { dependencies, metadata: { request_gpus: 1 } },
      { dependencies, metadata: { exclude_patterns: ['*.o'] } },
      { dependencies, metadata: { request_docker_image: 'tool:2' } },
      { dependencies, metadata: { request_docker_image: `tool@${imageB}` } },
      { dependencies, metadata: { request_docker_image: '' } },
    ];
    for (const one of changed)
      expect(await ask({ command: 'cat a b', ...one }), JSON.stringify(one)).toEqual(none);
  });

  it('is found by what the image was when a worker last used it', async () => {
    const metadata = { request_docker_image: 'moving' };
    const first = await done({ command: 'moving', metadata });
    expect(await ask({ command: 'moving', metadata })).toMatchObject({ uuid: first });
    expect(
      await ask({ command: 'moving', metadata: { request_docker_image: `any/name@${imageA}` } }),
    ).toMatchObject({
      uuid: first,
    });
    await done({ command: 'else', metadata }, { image: imageB });
    expect(await ask({ command: 'moving', metadata })).toEqual(none);
    const second = await done({ command: 'moving', metadata }, { image: imageB });
    expect(await ask({ command: 'moving', metadata })).toMatchObject({ uuid: second });
  });

  it('is never one that went wrong, was written to, or has lost its contents', async () => {
    const failed = await create({ command: 'fails' });
    expect(await execute(failed, { exitcode: 1 })).toBe('failed');
    expect(await ask({ command: 'fails' })).toEqual(none);
    const good = await done({ command: 'cleared' });
    expect(await ask({ command: 'cleared' })).toMatchObject({ uuid: good });
    const removal = { data: [{ type: 'bundles', id: good }] };
    await (
      await server.fetch('/rest/bundles?data-only=1', { as: 'root', method: 'DELETE', json: removal })
    ).text();
    expect(await ask({ command: 'cleared' })).toEqual(none);
  });

  it('is the same run under way, of the same user and with the same limits', async () => {
    const hold = { request_queue: 'nobody' };
    const uuid = await create({
      command: 'waits',
      metadata: hold,
      dependencies: [{ child_path: 'a', parent_uuid: input }],
    });
    const dependencies = [{ child_path: 'a', parent_uuid: input }];
    expect(await ask({ command: 'waits', dependencies })).toMatchObject({ found: 'in-flight', uuid });
    const child = await create({
      command: 'second',
      dependencies: [{ child_path: 'p', parent_uuid: uuid, parent_path: 'x/' }],
    });
    const ofParent = (path: string) => [{ child_path: 'p', parent_uuid: uuid, parent_path: path }];
    expect(await ask({ command: 'second', dependencies: ofParent('x') })).toMatchObject({
      found: 'in-flight',
      uuid: child,
    });
    expect(await ask({ command: 'second', dependencies: ofParent('y') })).toEqual(none);
    expect(await ask({ command: 'waits', dependencies, metadata: { request_memory: '4g' } })).toEqual(none);
    await share(input);
    expect(await ask({ as: 'eve', command: 'waits', dependencies })).toEqual(none);
    for (const one of [child, uuid]) {
      const actions = { data: [{ type: 'bundle-actions', attributes: { type: 'kill', uuid: one } }] };
      await (
        await server.fetch('/rest/bundle-actions', { as: 'root', method: 'POST', json: actions })
      ).text();
      await untilState(server, one, ['killed']);
    }
    expect(await ask({ command: 'waits', dependencies })).toEqual(none);
  });

  it('is neither one that is written to, nor one that went on where another attempt was', async () => {
    const hold = { request_queue: 'nobody' };
    const { queries, dialect } = server.services.database;
    const written = await create({ command: 'written', metadata: hold });
    expect(await ask({ command: 'written' })).toMatchObject({ uuid: written });
    const actions = ['write\tx\ty'];
    await queries
      .updateTable('bundle')
      .set({ metadata: dialect.mergeJson('metadata', { actions }) })
      .where('uuid', '=', written)
      .execute();
    expect(await ask({ command: 'written' })).toEqual(none);

    const metadata = { request_queue: 'spot' };
    const spot = scriptedWorker(server, { id: 'spot', tag: 'spot', preemptible: true });
    const resumed = await create({ command: 'resumed', metadata });
    const first = await spot.next('run');
    expect(await spot.start(resumed, first.epoch)).toBe(true);
    await spot.report([reportOf(resumed, 'running', { epoch: first.epoch ?? 0 })]);
    expect((await spot.post('checkout', {})).status).toBeLessThan(300);
    expect(await execute(resumed, { by: spot })).toBe('ready');
    expect((await viewBundle(server, resumed)).metadata['action_key']).toBeUndefined();
    expect(await ask({ command: 'resumed' })).toEqual(none);
    await spot.post('checkout', {});
  });

  it('is not looked for in a run whose record is damaged', async () => {
    const whole = await create({ command: 'damaged', metadata: { request_queue: 'nobody' } });
    const damaged = await create({ command: 'damaged', metadata: { request_queue: 'nobody' } });
    await untilState(server, damaged, ['staged']);
    const { queries, dialect } = server.services.database;
    await queries
      .updateTable('bundle')
      .set({ metadata: dialect.json_([]), state: 'running' })
      .where('uuid', '=', damaged)
      .execute();
    expect(await ask({ command: 'damaged' })).toMatchObject({ found: 'in-flight', uuid: whole });
    await queries.deleteFrom('bundle').where('uuid', '=', damaged).execute();
  });

  it("is another user's only where everything it was made of may be read", async () => {
    const [secret, copy] = [
      await uploadFile(server, 'shared text'),
      await uploadFile(server, 'shared text', { as: 'eve' }),
    ];
    const uuid = await done({ command: 'shared', dependencies: [{ child_path: 'a', parent_uuid: secret }] });
    const own = { as: 'eve', command: 'shared', dependencies: [{ child_path: 'a', parent_uuid: copy }] };
    expect(await ask(own)).toEqual(none);
    expect(await ask({ ...own, dependencies: [{ child_path: 'a', parent_uuid: secret }] })).toMatchObject({
      found: 'none',
      reason: `You may not read bundle ${secret}.`,
    });
    // Nor does the answer tell what there is in it and what is not.
    const guessed = [{ child_path: 'a', parent_uuid: secret, parent_path: 'guessed' }];
    expect(await ask({ ...own, dependencies: guessed })).toMatchObject({
      found: 'none',
      reason: `You may not read bundle ${secret}.`,
    });
    await share(uuid);
    expect(await ask(own)).toEqual(none);
    await share(secret);
    expect(await ask(own)).toMatchObject({ found: 'ready', uuid });
  });

  it('is not taken from workers that anybody may attach, except for those who own the run', async () => {
    const metadata = { request_queue: 'maries-own' };
    const marie = scriptedWorker(server, { id: 'marie', owner: 'marie', tag: 'maries-own' });
    await marie.checkin({ hold: 0 });
    const forged = await create({ as: 'marie', command: 'forged', metadata });
    const message = await marie.next('run');
    expect(await marie.start(forged, message.epoch)).toBe(true);
    const query = 'filename=stdout&unpack=0&finalize_on_success=0';
    expect((await putContents(server, forged, 'lies', { as: 'marie', query })).status).toBe(200);
    const docker_image = `tool@${imageB}`;
    const known = await done({ command: 'known', metadata: { request_docker_image: 'tool:1' } });
    await marie.report([reportOf(forged, 'finalizing', { exitcode: 0, docker_image, runtime: 'docker' })]);
    await share(forged);
    expect(await ask({ as: 'marie', command: 'forged' })).toMatchObject({ found: 'ready', uuid: forged });
    expect(await ask({ command: 'forged' })).toEqual(none);
    // Nor do they say for others what an image is now.
    expect(await ask({ command: 'known' })).toMatchObject({ found: 'ready', uuid: known });
  });

  const atHost = (hostname: string) =>
    server.services.database.queries
      .updateTable('worker')
      .set({ hostname })
      .where('worker_id', '=', worker.id)
      .execute();

  it('without an image, is found for runs on the same machine only', async () => {
    const metadata = { request_docker_image: '' };
    const uuid = await done({ command: 'plain', metadata }, { image: null, runtime: 'sandbox' });
    expect((await viewBundle(server, uuid)).metadata['action_key']).toMatch(/^[0-9a-f]{64}$/);
    expect(await ask({ command: 'plain', metadata })).toMatchObject({ found: 'ready', uuid });
    expect(await ask({ command: 'plain' })).toEqual(none);
    await atHost('another-machine');
    expect(await ask({ command: 'plain', metadata })).toEqual(none);
    await atHost('node7');
    expect(await ask({ command: 'plain', metadata })).toMatchObject({ found: 'ready', uuid });
  });

  it('follows an input into the dependency of a run, and asks who may read that, too', async () => {
    const hidden = await uploadFile(server, 'behind');
    const middle = await done({
      command: 'middle',
      dependencies: [{ child_path: 'in/here', parent_uuid: hidden }],
    });
    const dependencies = [{ child_path: 'a', parent_uuid: middle, parent_path: 'in/here' }];
    const uuid = await done({ command: 'through', dependencies });
    const direct = [{ child_path: 'a', parent_uuid: hidden }];
    expect(await ask({ command: 'through', dependencies: direct })).toMatchObject({ found: 'ready', uuid });
    await share(middle);
    expect(await ask({ as: 'eve', command: 'through', dependencies })).toMatchObject({
      found: 'none',
      reason: `You may not read bundle ${hidden}.`,
    });
    const guessed = [{ child_path: 'a', parent_uuid: middle, parent_path: 'in/here/guessed' }];
    expect(await ask({ as: 'eve', command: 'through', dependencies: guessed })).toMatchObject({
      found: 'none',
      reason: `You may not read bundle ${hidden}.`,
    });
    const guess = await create({ as: 'eve', command: 'guess', dependencies: guessed });
    expect((await untilState(server, guess, ['failed'], 'eve')).metadata['failure_message']).toContain(
      'does not have sufficient permissions',
    );
    const curious = await create({ as: 'eve', command: 'through', dependencies });
    expect((await untilState(server, curious, ['failed'], 'eve')).metadata['failure_message']).toContain(
      'does not have sufficient permissions',
    );
  });

  it('cannot be known for a link, whose contents may change', async () => {
    const metadata = { link_url: join(place, 'links', 'data'), link_format: 'raw', name: 'link' };
    const link = await createBundle(server, { type: 'dataset', metadata });
    const dependencies = [{ child_path: 'a', parent_uuid: link }];
    const uuid = await done({ command: 'linked', dependencies });
    expect((await viewBundle(server, uuid)).metadata['action_key']).toBeUndefined();
    expect(await ask({ command: 'linked', dependencies })).toMatchObject({
      found: 'none',
      reason: `link(${link}) is a link, and what is behind it may have changed.`,
    });
  });

  it('is refused for what could not be created', async () => {
    expect(await ask({ dependencies: [{ child_path: '../a', parent_uuid: input }] })).toMatchObject({
      status: 400,
    });
    expect(await ask({ metadata: { request_memory: 'much' } })).toMatchObject({ status: 400 });
    expect(
      await ask({ dependencies: [{ child_path: 'a', parent_uuid: `0x${'3'.repeat(32)}` }] }),
    ).toMatchObject({
      found: 'none',
      reason: `Bundle 0x${'3'.repeat(32)} not found`,
    });
    const anonymous = await server.fetch('/rest/bundles/memoized', { method: 'POST', json: { data: [] } });
    expect(anonymous.status).toBe(401);
  });
});
