import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TreeCache } from '@sheaf/trees';
import { DependencyEntries } from '../../contents/dependency-entries.ts';
import { manualClock } from '../../testing/manual-clock.ts';
import { allowOn, ask, makeGroup } from '../../testing/records.ts';
import { databases, startTestServer, type TestServer } from '../../testing/test-server.ts';
import { requestSettings } from '../request-settings.ts';
import { createBundle, untilState, uploadFile, type NewBundle } from '../testing/bundles.ts';
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

/** What an operation is about: one of the runs there are, and whose it is. */
interface Choice {
  one: { uuid: string; as: string };
  as: string;
  worker: ScriptedWorker;
  metadata: Record<string, unknown>;
  value: number;
}

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
    await create('alice', {});
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

  const create = async (as: string, more: Omit<NewBundle, 'as'>) => {
    runs.push({ uuid: await createBundle(server, { ...more, as }), as });
  };
  const operations = {
    create: ({ as, metadata, value }: Choice) =>
      create(as, {
        metadata,
        dependencies: value === 0 ? [{ child_path: 'd', parent_uuid: data }] : [],
      }),
    createAgain: ({ as, metadata }: Choice) => create(as, { metadata }),
    createChild: async ({ one, metadata, value }: Choice) => {
      // The parent may have been deleted.
      await create(one.as, {
        metadata: { ...metadata, allow_failed_dependencies: value > 1 },
        dependencies: [{ child_path: 'p', parent_uuid: one.uuid }],
      }).catch(() => undefined);
    },
    make: async ({ one }: Choice) => {
      const dependencies = [{ child_path: 'p', parent_uuid: one.uuid }];
      await createBundle(server, { as: one.as, type: 'make', dependencies }).catch(() => undefined);
    },
    edit: ({ one, metadata }: Choice) => patch(one.uuid, one.as, { metadata }),
    giveAway: ({ one }: Choice) => patch(one.uuid, 'root', { owner_id: '0' }),
    kill: ({ one: { uuid, as } }: Choice) =>
      ask(server, '/rest/bundle-actions', {
        as,
        method: 'POST',
        json: { data: [{ type: 'bundle-actions', attributes: { uuid, type: 'kill' } }] },
      }),
    delete: ({ one }: Choice) =>
      ask(server, '/rest/bundles?force=1', {
        as: 'root',
        method: 'DELETE',
        json: { data: [{ type: 'bundles', id: one.uuid }] },
      }),
    grant: ({ one, value }: Choice) =>
      allowOn(server, 'bundle', one.as, one.uuid, group, value > 1 ? 2 : value),
    checkIn: ({ worker, value }: Choice) => worker.checkin({ hold: 0, cpus: value }),
    begin: async ({ worker, value }: Choice) => {
      for (const message of await worker.checkin({ hold: 0 })) {
        if (message.type !== 'run') continue;
        const { uuid } = message.bundle;
        const { epoch } = message;
        if (!(await worker.start(uuid, epoch)) || value === 0) continue;
        await worker.report([reportOf(uuid, 'running', { epoch })]);
        if (value > 1) await worker.report([reportOf(uuid, 'finalizing', { epoch, exitcode: value - 2 })]);
      }
    },
    leave: ({ worker }: Choice) => worker.post('checkout', {}),
  } satisfies Record<string, (choice: Choice) => Promise<unknown>>;
  const operation = fc.record({
    kind: fc.constantFrom(...(Object.keys(operations) as (keyof typeof operations)[])),
    which: fc.nat(1000),
    value: fc.integer({ min: 0, max: 3 }),
  });
  const perform = async (kind: keyof typeof operations, which: number, value: number) => {
    const worker = workers[which % workers.length];
    const one = runs[which % runs.length];
    if (worker === undefined || one === undefined) throw new Error('nothing to choose from');
    const as = which % 2 === 0 ? 'alice' : 'bob';
    const metadata = { request_priority: value, request_queue: which % 5 === 0 ? 'nobody' : '' };
    await operations[kind]({ one, as, worker, metadata, value });
  };

  it('is what looking everything over would find, whatever happens', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 10, maxLength: 40, size: 'max' }), async (all) => {
        for (const { kind, which, value } of all) await perform(kind, which, value);
        await settled();
      }),
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
