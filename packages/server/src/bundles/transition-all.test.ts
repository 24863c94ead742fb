import fc from 'fast-check';
import type { ServerEvent } from '../events/events.ts';
import { createBundle } from '../runs/testing/bundles.ts';
import { manualClock } from '../testing/manual-clock.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { transition, transitionAll, type Move } from './transition.ts';

describe.each(databases)('the change of many states at once (%s)', (database) => {
  let server: TestServer;
  const changes: ServerEvent[] = [];
  beforeAll(async () => {
    server = await startTestServer({ database, clock: manualClock() });
    server.services.events.on('bundle.changed', (event) => changes.push(event));
  });
  afterAll(() => server.close());

  const uploading = () => createBundle(server, { type: 'dataset' });
  const moveAll = (moves: readonly Move[], now = 1) =>
    server.services.unitOfWork((unit) => transitionAll(unit, 'dataset', moves, now));
  const row = (uuid: string) =>
    server.services.database.queries
      .selectFrom('bundle')
      .selectAll()
      .where('uuid', '=', uuid)
      .executeTakeFirstOrThrow();
  const kinds = async (uuid: string) => {
    const events = await server.services.database.queries
      .selectFrom('bundle_event')
      .select('kind')
      .where('bundle_uuid', '=', uuid)
      .orderBy('id')
      .execute();
    return events.map(({ kind }) => kind);
  };

  it('moves each with its own changes and event, and says so', async () => {
    const [one, other] = [await uploading(), await uploading()];
    changes.length = 0;

    const moved = await moveAll([
      {
        uuid: other,
        from: 'uploading',
        next: 'failed',
        nextEpoch: true,
        metadata: { name: 'renamed', failure_message: 'said', description: null, data_size: 7 },
        event: { kind: 'broke', details: { by: 'test' } },
      },
      { uuid: one, from: 'uploading', next: 'ready', metadata: { data_size: null } },
    ]);

    const [ready, failed] = [await row(one), await row(other)];
    expect(moved.get(one)).toEqual(ready);
    expect(moved.get(other)).toEqual(failed);
    expect(ready).toMatchObject({ state: 'ready', data_size: 0, version: 2, epoch: 0, changed_at: 1 });
    expect(failed).toMatchObject({ state: 'failed', data_size: 7, name: 'renamed', version: 2, epoch: 1 });
    const metadata = JSON.parse(failed.metadata) as Record<string, unknown>;
    expect(metadata).toMatchObject({ failure_message: 'said', name: 'renamed' });
    expect(metadata).not.toHaveProperty('description');
    expect(await kinds(other)).toContain('broke');
    expect(await kinds(one)).not.toContain('broke');
    expect(changes).toHaveLength(2);
    expect(changes).toContainEqual({ type: 'bundle.changed', uuid: other, state: 'failed', version: 2 });
  });

  it('leaves those alone that are not where they are expected, and moves the others', async () => {
    const [lost, older, good] = [await uploading(), await uploading(), await uploading()];
    await server.services.unitOfWork((unit) =>
      transition(unit, { uuid: lost, type: 'dataset', expected: ['uploading'], next: 'failed', now: 1 }),
    );
    const before = [await row(lost), await row(older)];
    changes.length = 0;
    const event = { kind: 'done', details: {} };

    const moved = await moveAll([
      { uuid: lost, from: 'uploading', next: 'ready', event },
      { uuid: older, from: 'uploading', next: 'ready', epoch: 5, event },
      { uuid: '0x00000000000000000000000000000000', from: 'uploading', next: 'ready', event },
      { uuid: good, from: 'uploading', next: 'ready', epoch: 0, event },
    ]);

    expect([...moved.keys()]).toEqual([good]);
    expect([await row(lost), await row(older)]).toEqual(before);
    expect(await kinds(lost)).not.toContain('done');
    expect(await kinds(older)).not.toContain('done');
    expect(changes.map((change) => 'uuid' in change && change.uuid)).toEqual([good]);
  });

  it('does not take a bundle of another type for one of this', async () => {
    const run = await createBundle(server);
    expect(await moveAll([{ uuid: run, from: 'created', next: 'created' }])).toEqual(new Map());
  });

  it('moves nothing where one of the moves does not exist', async () => {
    const [one, other] = [await uploading(), await uploading()];

    const moves = [
      { uuid: one, from: 'uploading', next: 'ready' },
      { uuid: other, from: 'uploading', next: 'running' },
    ] as const;
    await expect(moveAll(moves)).rejects.toThrow('No dataset moves from uploading to running');

    expect((await row(one)).state).toBe('uploading');
  });

  it('lets one of two win each bundle, whatever their order', async () => {
    const uuids = await Promise.all(Array.from({ length: 6 }, uploading));
    const towards = (next: 'ready' | 'failed', order: readonly string[]) =>
      moveAll(order.map((uuid) => ({ uuid, from: 'uploading', next })));

    const [ready, failed] = await Promise.all([
      towards('ready', uuids),
      towards('failed', uuids.toReversed()),
    ]);

    expect(ready.size + failed.size).toBe(uuids.length);
    for (const uuid of uuids)
      expect((await row(uuid)).state).toBe((ready.get(uuid) ?? failed.get(uuid))?.state);
  });

  it('merges metadata as the change of one does', async () => {
    const value = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.string()), fc.constant(null));
    const [one, many] = [await uploading(), await uploading()];
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.constantFrom('description', 'tags', 'license', 'note'), value),
        async (given) => {
          // PostgreSQL keeps no NUL in its documents.
          const metadata = JSON.parse(JSON.stringify(given).replaceAll('\\u0000', '')) as typeof given;
          await server.services.unitOfWork((unit) =>
            transition(unit, {
              uuid: one,
              type: 'dataset',
              expected: ['uploading'],
              next: 'uploading',
              changes: { metadata },
              now: 1,
            }),
          );
          await moveAll([{ uuid: many, from: 'uploading', next: 'uploading', metadata }]);
          const [left, right] = [await row(one), await row(many)];
          expect(JSON.parse(right.metadata)).toEqual(JSON.parse(left.metadata));
          expect(right.version).toBe(left.version);
        },
      ),
      { numRuns: 50 },
    );
  });
});
