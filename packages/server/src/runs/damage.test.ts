import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { damagedRecord } from './damage.ts';
import { createBundle, untilState, uploadFile, viewBundle } from './testing/bundles.ts';
import { reportOf, scriptedWorker, type ScriptedWorker } from './testing/scripted-worker.ts';

/** Texts that are no metadata; a PostgreSQL column takes no broken JSON in the first place. */
const broken = { sqlite: ['{"name": ', '[]', '"x"', 'null'], postgresql: ['[]', '"x"', '5'] };

describe.each(databases)('a damaged row (%s)', (database) => {
  let server: TestServer;
  let worker: ScriptedWorker;
  beforeEach(async () => {
    server = await startTestServer({ database });
    worker = scriptedWorker(server);
  });
  afterEach(async () => {
    await server.close();
  });

  const set = async (
    table: 'bundle' | 'worker',
    column: string,
    value: unknown,
    where: { uuid: string } | { worker_id: string },
  ) => {
    const [key, wanted] = 'uuid' in where ? ['uuid', where.uuid] : ['worker_id', where.worker_id];
    const json = ['metadata', 'dependencies', 'runtime', 'details'].includes(column);
    const given = database === 'postgresql' && json ? sql`cast(${value} as jsonb)` : sql`${value}`;
    const done = await sql`update ${sql.table(table)} set ${sql.ref(column)} = ${given}
      where ${sql.ref(key)} = ${wanted}`.execute(server.services.database.queries);
    expect(Number(done.numAffectedRows)).toBeGreaterThan(0);
    if (column === 'version' && 'uuid' in where)
      server.services.events.emit({
        type: 'bundle.changed',
        uuid: where.uuid,
        state: 'staged',
        version: Number(value),
      });
  };
  const waitsFor = async (queue: string, as = 'root') => {
    const uuid = await createBundle(server, { as, metadata: { request_queue: queue } });
    await untilState(server, uuid, ['staged']);
    return uuid;
  };
  /** A run that comes later starts as if nothing were wrong. */
  const othersStart = async () => {
    const next = worker.next('run', { tag: 'late' });
    const uuid = await createBundle(server, { metadata: { request_queue: 'late' } });
    expect((await next).bundle.uuid).toBe(uuid);
  };

  it.each(broken[database])('of a waiting run fails it with words: %s', async (text) => {
    const uuid = await waitsFor('nobody');
    await set('bundle', 'metadata', text, { uuid });
    await set('bundle', 'version', 77, { uuid });
    await othersStart();
    const { metadata } = await untilState(server, uuid, ['failed']);
    expect(metadata).toMatchObject({ failure_message: damagedRecord, name: 'run-of-test' });
  });

  it('of a bundle that waits for its parents fails it with words', async () => {
    const parent = await waitsFor('nobody');
    const uuid = await createBundle(server, {
      dependencies: [{ child_path: 'p', parent_uuid: parent }],
      metadata: { allow_failed_dependencies: true },
    });
    await set('bundle', 'metadata', '[]', { uuid });
    const json = { data: [{ type: 'bundle-actions', attributes: { uuid: parent, type: 'kill' } }] };
    expect((await server.fetch('/rest/bundle-actions', { as: 'root', method: 'POST', json })).status).toBe(
      200,
    );
    expect((await untilState(server, uuid, ['failed'])).metadata['failure_message']).toBe(damagedRecord);
    await othersStart();
  });

  it('of a run that a worker has counts as a small one', async () => {
    const next = worker.next('run');
    const uuid = await createBundle(server);
    await next;
    await set('bundle', 'metadata', '[]', { uuid });
    await othersStart();
    const info = await server.fetch('/rest/workers/info', { as: 'root' });
    expect(await info.json()).toMatchObject({ data: [{ run_uuids: [uuid, expect.any(String)] }] });
  });

  describe.each(broken[database].slice(0, 2))('of a run under way: %s', (text) => {
    const begun = async () => {
      const next = worker.next('run');
      const uuid = await createBundle(server);
      const { epoch } = await next;
      return { uuid, epoch };
    };
    const damage = (uuid: string) => set('bundle', 'metadata', text, { uuid });
    const kill = async (uuid: string) => {
      const json = { data: [{ type: 'bundle-actions', attributes: { uuid, type: 'kill' } }] };
      const answer = await server.fetch('/rest/bundle-actions', { as: 'root', method: 'POST', json });
      expect(answer.status).toBe(200);
    };

    it('lets it begin and come to its end', async () => {
      const { uuid, epoch } = await begun();
      await damage(uuid);
      expect(await worker.start(uuid, epoch)).toBe(true);
      await damage(uuid);
      await worker.report([reportOf(uuid, 'running', { epoch })]);
      await damage(uuid);
      const answers = await worker.report([reportOf(uuid, 'finalizing', { epoch, exitcode: 0 })]);
      expect(answers).toContainEqual(expect.objectContaining({ type: 'mark_finalized', uuid }));
      expect(await viewBundle(server, uuid)).toMatchObject({
        state: 'ready',
        metadata: { name: 'run-of-test' },
      });
    });

    it('fails it where it would have to begin anew, and its worker goes on', async () => {
      const { uuid, epoch } = await begun();
      expect(await worker.start(uuid, epoch)).toBe(true);
      await damage(uuid);
      for (let omitted = 0; omitted < 2; omitted += 1) await worker.checkin({ hold: 0 });
      const { metadata } = await untilState(server, uuid, ['failed']);
      expect(metadata['failure_message']).toBe(damagedRecord);
      await othersStart();
    });

    it('lets its worker go, and somebody end it', async () => {
      const { uuid, epoch } = await begun();
      expect(await worker.start(uuid, epoch)).toBe(true);
      await worker.report([reportOf(uuid, 'running', { epoch })]);
      await damage(uuid);
      expect((await worker.post('checkout', {})).status).toBeLessThan(300);
      await untilState(server, uuid, ['worker_offline']);
      await damage(uuid);
      await kill(uuid);
      await untilState(server, uuid, ['killed']);
    });
  });

  it.each(broken[database].slice(0, 2))(
    'of its history is said to be one, and costs nothing else: %s',
    async (text) => {
      const next = worker.next('run');
      const uuid = await createBundle(server);
      const { epoch } = await next;
      await worker.start(uuid, epoch);
      await worker.report([reportOf(uuid, 'running', { epoch })]);
      await worker.report([reportOf(uuid, 'finalizing', { epoch, exitcode: 0 })]);
      const details = database === 'postgresql' ? sql`cast(${text} as jsonb)` : sql`${text}`;
      await sql`update bundle_event set details = ${details} where bundle_uuid = ${uuid}`.execute(
        server.services.database.queries,
      );
      await worker.checkin({ hold: 0, ack: [] });
      expect(await worker.report([reportOf(uuid, 'running', { epoch: 99 })])).toContainEqual(
        expect.objectContaining({ type: 'kill', uuid }),
      );
      const shown = await server.fetch(`/rest/bundles/${uuid}/events`, { as: 'root' });
      expect(shown.status).toBe(200);
      expect(await shown.text()).toContain('cannot be read any more');
      await othersStart();
    },
  );

  it('of an input fails the run that needs it', async () => {
    const input = await uploadFile(server, 'data');
    const uuid = await createBundle(server, {
      metadata: { request_queue: 'early' },
      dependencies: [{ child_path: 'd', parent_uuid: input }],
    });
    await untilState(server, uuid, ['staged']);
    await set('bundle', 'root_entry', '{"kind": "nothing"}', { uuid: input });
    const next = worker.next('run', { tag: 'early' });
    await untilState(server, uuid, ['failed']);
    expect((await viewBundle(server, uuid)).metadata['failure_message']).toContain('damaged');
    const fine = await createBundle(server, { metadata: { request_queue: 'early' } });
    expect((await next).bundle.uuid).toBe(fine);
  });

  it.each<readonly [string, string]>([
    ['runtime', '{"name": 5}'],
    ['runtime', '[]'],
    ['dependencies', '{"a": 1}'],
    ['dependencies', '[["0x1", null]]'],
    ...(database === 'sqlite'
      ? ([
          ['runtime', '{"name'],
          ['dependencies', 'x'],
          ['cpus', 'many'],
          ['memory_bytes', 'plenty'],
          ['free_disk_bytes', 'plenty'],
          ['slots', 'few'],
        ] as const)
      : []),
  ])('of a worker costs no other worker anything: %s %s', async (column, text) => {
    const other = scriptedWorker(server, { id: 'odd', cpus: 64 });
    await other.checkin({ hold: 0 });
    await set('worker', column, text, { worker_id: 'odd' });
    await othersStart();
    const info = await server.fetch('/rest/workers/info', { as: 'root' });
    expect(info.status).toBe(200);
    expect(((await info.json()) as { data: unknown[] }).data).toHaveLength(2);
  });

  it('of an account fails the runs of that account', async () => {
    const uuid = await waitsFor('nobody', 'alice');
    await set('bundle', 'owner_id', null, { uuid });
    await set('bundle', 'version', 77, { uuid });
    await othersStart();
    const { metadata } = await untilState(server, uuid, ['failed']);
    expect(metadata['failure_message']).toContain('The account that this run belongs to does not exist');
  });

  it('of a run’s history is passed over', async () => {
    const first = worker.next('run');
    const uuid = await createBundle(server);
    const { epoch } = await first;
    expect(await worker.start(uuid, epoch)).toBe(true);
    await server.services.database.queries
      .insertInto('bundle_event')
      .values({ bundle_uuid: uuid, at: Date.now(), kind: 'restaged', details: '[]' })
      .execute();
    await worker.post('checkout', {});
    await othersStart();
  });
});
