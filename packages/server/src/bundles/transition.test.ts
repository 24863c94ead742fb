import type { ServerEvent } from '../events/events.ts';
import { createBundle } from '../runs/testing/bundles.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { transition, type TransitionRequest } from './transition.ts';

describe.each(databases)('the one change of a state (%s)', (database) => {
  let server: TestServer;
  const changes: ServerEvent[] = [];
  beforeAll(async () => {
    server = await startTestServer({ database });
    server.services.events.on('bundle.changed', (event) => changes.push(event));
  });
  afterAll(() => server.close());

  /** An upload that nobody but the test touches. */
  const uploading = () => createBundle(server, { type: 'dataset' });
  const move = (uuid: string, more: Partial<TransitionRequest>) =>
    server.services.unitOfWork((unit) =>
      transition(unit, { uuid, type: 'dataset', expected: ['uploading'], next: 'ready', now: 1, ...more }),
    );
  const row = (uuid: string) =>
    server.services.database.queries
      .selectFrom('bundle')
      .selectAll()
      .where('uuid', '=', uuid)
      .executeTakeFirstOrThrow();

  it('moves from the expected state, with its changes, and says so once', async () => {
    const uuid = await uploading();
    const before = await row(uuid);
    changes.length = 0;

    const moved = await move(uuid, {
      changes: { metadata: { failure_message: 'said', description: null, data_size: 7 } },
      event: { kind: 'done', details: { by: 'test' } },
    });

    const after = await row(uuid);
    expect(moved).toEqual(after);
    expect(after).toMatchObject({ state: 'ready', data_size: 7, version: before.version + 1 });
    const metadata = JSON.parse(after.metadata) as Record<string, unknown>;
    expect(metadata).toMatchObject({ failure_message: 'said' });
    expect(metadata).not.toHaveProperty('description');
    expect(changes).toEqual([{ type: 'bundle.changed', uuid, state: 'ready', version: after.version }]);
    const history = await server.services.database.queries
      .selectFrom('bundle_event')
      .selectAll()
      .where('bundle_uuid', '=', uuid)
      .execute();
    expect(history.map(({ kind }) => kind)).toContain('done');
  });

  it.each([
    { what: 'another state', more: { expected: ['ready'], next: 'ready' } },
    { what: 'another attempt', more: { epoch: 5 } },
  ] as const)('changes and announces nothing when the bundle is in $what', async ({ more }) => {
    const uuid = await uploading();
    const before = await row(uuid);
    changes.length = 0;

    expect(await move(uuid, { ...more, changes: { metadata: { failure_message: 'no' } } })).toBeUndefined();

    expect(await row(uuid)).toEqual(before);
    expect(changes).toEqual([]);
  });

  it('lets one of two win who want different ends', async () => {
    const uuid = await uploading();

    const ends = await Promise.all([move(uuid, { next: 'ready' }), move(uuid, { next: 'failed' })]);

    const winners = ends.filter((one) => one !== undefined);
    expect(winners).toHaveLength(1);
    expect((await row(uuid)).state).toBe(winners[0]?.state);
  });

  it('refuses a move that no bundle of the type makes', async () => {
    const uuid = await uploading();

    await expect(move(uuid, { next: 'running' })).rejects.toThrow(
      'No dataset moves from uploading to running',
    );
    await expect(move(uuid, { expected: ['ready'], next: 'uploading' })).rejects.toThrow('No dataset moves');
  });
});
