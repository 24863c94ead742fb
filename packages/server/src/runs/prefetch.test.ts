import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PrefetchMessage } from '@sheaf/wire';
import { makeGroup } from '../testing/records.ts';
import { manualClock } from '../testing/manual-clock.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { originalWorker } from './testing/original-worker.ts';
import { createBundle, until, untilState, uploadFile } from './testing/bundles.ts';
import { GivenHints } from './prefetch.ts';
import { scriptedWorker, type ScriptedWorker } from './testing/scripted-worker.ts';

describe.each(databases)('hints (%s)', (database) => {
  let server: TestServer;
  beforeEach(async () => {
    server = await startTestServer({ database });
  });
  afterEach(async () => {
    await server.close();
  });

  const queued = async () =>
    (
      await server.services.database.queries
        .selectFrom('message')
        .select(['run_uuid', 'worker_id'])
        .where('type', '=', 'prefetch')
        .orderBy('id')
        .execute()
    ).map((row) => row.run_uuid);
  /** Fills the worker with one run, which the answer is. */
  const fill = async (worker: ScriptedWorker) => {
    await worker.checkin({ hold: 0 });
    const uuid = await createBundle(server, { metadata: { request_cpus: 4 } });
    await untilState(server, uuid, ['starting']);
    return uuid;
  };
  const untilHinted = (uuid: string) =>
    until(async () => ((await queued()).includes(uuid) ? true : undefined), 'the hint is queued');
  const hintsIn = (messages: readonly { type: string }[]) =>
    messages.filter((message): message is PrefetchMessage => message.type === 'prefetch');

  it('tell a busy worker once what will come, with the inputs as the run will have them', async () => {
    const data = await uploadFile(server, 'twelve bytes');
    const worker = scriptedWorker(server);
    await fill(worker);
    const uuid = await createBundle(server, {
      metadata: { request_docker_image: 'python:3.12' },
      dependencies: [{ child_path: 'd', parent_uuid: data }],
    });
    await untilHinted(uuid);
    const [hint] = hintsIn(await worker.checkin({ hold: 0 }));
    expect(hint).toMatchObject({
      uuid,
      docker_image: 'python:3.12',
      image_requested: true,
      dependencies: [{ parent_uuid: data, parent_path: '', entry: { kind: 'file', size: 12 } }],
    });
    // Acknowledged, and never again, however many passes follow.
    const later = await createBundle(server);
    await untilHinted(later);
    expect(hintsIn(await worker.checkin({ hold: 0 })).map((one) => one.uuid)).toEqual([later]);
    expect(await queued()).toEqual([later]);
  });

  it('are few a worker, and dropped when the run is given away', async () => {
    const worker = scriptedWorker(server);
    await worker.checkin({ hold: 0, cpus: 0 });
    const runs: string[] = [];
    for (let number = 0; number < 7; number += 1) {
      const uuid = await createBundle(server, { metadata: { request_queue: 'x' } });
      await untilState(server, uuid, ['staged']);
      runs.push(uuid);
    }
    const busy = scriptedWorker(server, { id: 'busy', tag: 'x' });
    const filler = await createBundle(server, { metadata: { request_queue: 'y', request_cpus: 4 } });
    await busy.checkin({ hold: 0, tag: 'y' });
    await untilState(server, filler, ['starting']);
    await busy.checkin({ hold: 0, ack: [] });
    await untilHinted(runs[3] ?? '');
    expect(await queued()).toEqual(runs.slice(0, 4));
    const other = scriptedWorker(server, { id: 'other', tag: 'x', cpus: 2, protocol: 1 });
    await other.checkin({ hold: 0 });
    await untilState(server, runs[1] ?? '', ['starting']);
    await until(async () => ((await queued()).includes(runs[0] ?? '') ? undefined : true), 'dropped');
    expect((await queued()).every((uuid) => !runs.slice(0, 2).includes(uuid))).toBe(true);
  });

  it('leave out what the worker’s owner may not read', async () => {
    const secret = await uploadFile(server, 'secret', { as: 'alice' });
    await makeGroup(server, 'carol', `lab_${database}`, ['alice']);
    const worker = scriptedWorker(server, { id: 'carols', owner: 'carol', group_name: `lab_${database}` });
    await worker.checkin({ hold: 0 });
    const own = await createBundle(server, { as: 'carol', metadata: { request_cpus: 4 } });
    await untilState(server, own, ['starting'], 'carol');
    const uuid = await createBundle(server, {
      as: 'alice',
      dependencies: [{ child_path: 's', parent_uuid: secret }],
    });
    await untilState(server, uuid, ['staged'], 'alice');
    // Carol may not control the run, so her worker is not told of it at all.
    expect(hintsIn(await worker.checkin({ hold: 0 }))).toEqual([]);
    const group = (await (await server.fetch('/rest/groups', { as: 'alice' })).json()) as {
      data: { id: string; attributes: { name: string } }[];
    };
    const id = group.data.find((one) => one.attributes.name === `lab_${database}`)?.id ?? '';
    await server.services.database.queries
      .insertInto('bundle_permission')
      .values({ group_uuid: id, bundle_uuid: uuid, permission: 2 })
      .execute();
    server.services.events.emit({ type: 'access.changed' });
    await createBundle(server, { as: 'carol', metadata: { request_queue: 'nobody' } });
    await untilHinted(uuid);
    const [hint] = hintsIn(await worker.checkin({ hold: 0 }));
    expect(hint).toMatchObject({ uuid, dependencies: [] });
  });

  it('never go to original workers', async () => {
    const original = await originalWorker(server);
    await original.checkin();
    const filler = await createBundle(server, { metadata: { request_cpus: 4 } });
    await untilState(server, filler, ['starting']);
    const uuid = await createBundle(server);
    await untilState(server, uuid, ['staged']);
    const marker = await createBundle(server, { metadata: { request_cpus: 64 } });
    await until(async () => {
      const response = await server.fetch(`/rest/bundles/${marker}`, { as: 'root' });
      return (await response.text()).includes('No worker is large enough') ? true : undefined;
    }, 'a pass has seen all of them');
    expect(await queued()).toEqual([]);
  });

  it('become old', async () => {
    const clock = manualClock();
    const aging = await startTestServer({ database, clock });
    try {
      const worker = scriptedWorker(aging);
      await worker.checkin({ hold: 0 });
      const filler = await createBundle(aging, { metadata: { request_cpus: 4 } });
      await untilState(aging, filler, ['starting']);
      const uuid = await createBundle(aging);
      const messages = aging.services.database.queries.selectFrom('message').selectAll();
      const hint = messages.where('type', '=', 'prefetch').where('run_uuid', '=', uuid);
      const row = await until(() => hint.executeTakeFirst(), 'the hint is queued');
      expect(row.expires_at).toBe(clock.now() + 600_000);
      expect(row.epoch).toBeNull();
    } finally {
      await aging.close();
    }
  });
});

describe('what workers were told to fetch', () => {
  it('is not repeated again and again, and told anew to one that was away', () => {
    const hints = new GivenHints();
    const tell = (worker: string) => hints.isRepeated(worker, 'an image', 0);
    while (!tell('stays'));
    while (!tell('goes'));

    hints.keepWorkers((worker) => worker === 'stays');

    expect(tell('stays')).toBe(true);
    expect(tell('goes')).toBe(false);
  });
});
