import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TreeCache } from '@sheaf/trees';
import { DependencyEntries } from '../../contents/dependency-entries.ts';
import { manualClock } from '../../testing/manual-clock.ts';
import { allowOn, ask, makeGroup } from '../../testing/records.ts';
import { databases, startTestServer, type TestServer } from '../../testing/test-server.ts';
import { requestSettings } from '../request-settings.ts';
import { createBundle, untilState, uploadFile } from '../testing/bundles.ts';
import { reportOf, scriptedWorker, type ScriptedWorker } from '../testing/scripted-worker.ts';
import { KeptBacklog } from './kept-backlog.ts';

/** Everything a pass decides by, in a form that can be compared. */
function snapshot({ runs, makes, assigned }: KeptBacklog) {
  const seen = [...runs.uuids].toSorted().map((uuid) => {
    const run = runs.get(uuid);
    const line = runs.lineOf(uuid);
    return { run, attempts: run?.attempts?.count, line: line?.key, avoid: line && [...line.avoid] };
  });
  const users = [...runs.users].map(({ ownerId, runs: all, lines, levels }) => ({
    ownerId,
    all: [...all].map(({ uuid }) => uuid),
    lines: [...lines]
      .map(([key, line]) => [key, line.priority, [...line.runs].map(({ uuid }) => uuid)] as const)
      .toSorted(([one], [other]) => one.localeCompare(other)),
    levels: [...levels]
      .map(([priority, level]) => [priority, [...level].map(({ uuid }) => uuid)] as const)
      .toSorted(([one], [other]) => one - other),
  }));
  return {
    seen,
    users: users.toSorted((one, other) => one.ownerId.localeCompare(other.ownerId)),
    makes,
    hopeless: runs.hopeless.map(({ uuid }) => uuid).toSorted(),
    assigned: [...assigned.all].toSorted(([one], [other]) => one.localeCompare(other)),
  };
}

const operation = fc.record({
  kind: fc.constantFrom(
    'create',
    'create',
    'create',
    'create child',
    'make',
    'edit',
    'kill',
    'delete',
    'grant',
    'check in',
    'check in',
    'begin',
    'leave',
    'give away',
  ),
  which: fc.nat(1000),
  value: fc.integer({ min: 0, max: 3 }),
});
type Operation = typeof operation extends fc.Arbitrary<infer Value> ? Value : never;

describe.each(databases)('the backlog kept in memory (%s)', (database) => {
  let server: TestServer;
  let data: string;
  let group: string;
  let workers: ScriptedWorker[];
  const runs: { uuid: string; as: string }[] = [];
  beforeAll(async () => {
    // Nothing is ever looked over by the tick.
    server = await startTestServer({ database, clock: manualClock() });
    data = await uploadFile(server, 'some data', { as: 'alice' });
    await server.createUser({ name: 'bob' });
    group = await makeGroup(server, 'alice', `lab_${database}`, ['bob']);
    await allowOn(server, 'bundle', 'alice', data, group, 1);
    workers = [
      scriptedWorker(server, { id: 'w0', cpus: 2 }),
      scriptedWorker(server, { id: 'w1', owner: 'alice', group_name: `lab_${database}`, cpus: 2 }),
    ];
  });
  afterAll(() => server.close());

  const rebuilt = async () => {
    const { services } = server;
    const entries = new DependencyEntries(new TreeCache(services.store));
    const fresh = new KeptBacklog(entries, requestSettings(services.settings), 'another server');
    const undone = new Error('undone');
    await services
      .unitOfWork(async (unit) => {
        await fresh.bringUpToDate(unit, [], services.clock.now());
        throw undone;
      })
      .catch((error: unknown) => {
        if (error !== undone) throw error;
      });
    return snapshot(fresh);
  };
  /** Asks for a pass without telling that anything has changed. */
  const nudge = () => server.services.events.emit({ type: 'worker.changed', userId: 'x', workerId: 'x' });
  const settled = async () => {
    const deadline = Date.now() + 10_000;
    for (;;) {
      nudge();
      await new Promise((resolve) => setTimeout(resolve, 5));
      const [kept, fresh] = [snapshot(server.execution.backlog), await rebuilt()];
      if (isDeepStrictEqual(kept, fresh)) return;
      if (Date.now() > deadline) expect(kept).toEqual(fresh);
    }
  };
  const patch = (uuid: string, as: string, attributes: object) =>
    ask(server, '/rest/bundles', {
      as,
      method: 'PATCH',
      json: { data: [{ type: 'bundles', id: uuid, attributes }] },
    });

  const perform = async ({ kind, which, value }: Operation) => {
    const one = runs[which % Math.max(1, runs.length)];
    const as = which % 2 === 0 ? 'alice' : 'bob';
    const worker = workers[which % workers.length];
    const metadata = {
      request_priority: value,
      request_cpus: 1,
      request_queue: which % 5 === 0 ? 'nobody' : '',
    };
    switch (kind) {
      case 'create': {
        const dependencies = value === 0 ? [{ child_path: 'd', parent_uuid: data }] : [];
        runs.push({ uuid: await createBundle(server, { as, metadata, dependencies }), as });
        return;
      }
      case 'create child':
      case 'make': {
        if (one === undefined) return;
        const dependencies = [{ child_path: 'p', parent_uuid: one.uuid }];
        const type = kind === 'make' ? 'make' : 'run';
        const more = type === 'run' ? metadata : {};
        const given = {
          as: one.as,
          type,
          dependencies,
          metadata: { ...more, allow_failed_dependencies: value > 1 },
        };
        const uuid = await createBundle(server, given as Parameters<typeof createBundle>[1]).catch(
          () => undefined,
        );
        if (uuid !== undefined && type === 'run') runs.push({ uuid, as: one.as });
        return;
      }
      case 'edit':
        // What a run takes of its worker is what it was given, whatever is written there later.
        if (one !== undefined) await patch(one.uuid, one.as, { metadata });
        return;
      case 'give away':
        if (one !== undefined) await patch(one.uuid, 'root', { owner_id: '0' });
        return;
      case 'kill':
        if (one !== undefined)
          await ask(server, '/rest/bundle-actions', {
            as: one.as,
            method: 'POST',
            json: { data: [{ type: 'bundle-actions', attributes: { uuid: one.uuid, type: 'kill' } }] },
          });
        return;
      case 'delete':
        if (one !== undefined)
          await ask(server, '/rest/bundles?force=1', {
            as: 'root',
            method: 'DELETE',
            json: { data: [{ type: 'bundles', id: one.uuid }] },
          });
        return;
      case 'grant':
        if (one !== undefined)
          await allowOn(server, 'bundle', one.as, one.uuid, group, value > 1 ? 2 : value);
        return;
      case 'check in':
        await worker?.checkin({ hold: 0, cpus: value });
        return;
      case 'begin':
        for (const message of (await worker?.checkin({ hold: 0 })) ?? []) {
          if (message.type !== 'run') continue;
          const { uuid } = message.bundle;
          const { epoch } = message;
          if ((await worker?.start(uuid, epoch)) !== true || value === 0) continue;
          await worker?.report([reportOf(uuid, 'running', { epoch })]);
          if (value > 1) await worker?.report([reportOf(uuid, 'finalizing', { epoch, exitcode: value - 2 })]);
        }
        return;
      case 'leave':
        await worker?.post('checkout', {});
        return;
      default:
        kind satisfies never;
    }
  };

  it('is what looking everything over would find, whatever happens', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(operation, { minLength: 10, maxLength: 40, size: 'max' }),
        async (operations) => {
          for (const one of operations) await perform(one);
          await settled();
        },
      ),
      { numRuns: 8, endOnFailure: true },
    );
    // It was not looked over in between, which would have hidden what was not told.
    expect(server.execution.backlog.lookedOver).toBe(1);
    expect(runs.length).toBeGreaterThan(20);
  });

  it('is looked over when another server has planned meanwhile', async () => {
    const uuid = await createBundle(server, { metadata: { request_queue: 'nobody' } });
    await untilState(server, uuid, ['staged']);
    await settled();
    const { lookedOver } = server.execution.backlog;
    const { queries } = server.services.database;
    // The other server has killed it, and its users heard of it; nobody told us.
    await queries.updateTable('setting').set({ value: 'another' }).where('key', '=', 'planner').execute();
    await queries.updateTable('bundle').set({ state: 'killed' }).where('uuid', '=', uuid).execute();

    await settled();

    expect(server.execution.backlog.runs.get(uuid)).toBeUndefined();
    expect(server.execution.backlog.lookedOver).toBe(lookedOver + 1);
  });
});
