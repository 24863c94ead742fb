/* Whose word counts about a run: every row of execution.md §31.1, for original workers and for ours, on every engine. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunReportInput } from '@sheaf/wire';
import { createBundle, until, untilState, viewBundle } from '../../runs/testing/bundles.ts';
import { originalWorker } from '../../runs/testing/original-worker.ts';
import { reportOf, scriptedWorker } from '../../runs/testing/scripted-worker.ts';
import { databases, startTestServer, type TestServer } from '../../testing/test-server.ts';
import { act } from './bench.ts';

/** What both kinds of worker can do. */
interface AnyWorker {
  readonly tag: string;
  /** A check-in; answers its messages. */
  checkin(runs?: RunReportInput[]): Promise<Record<string, unknown>[]>;
  start(uuid: string, epoch: number): Promise<boolean>;
  /** Only workers of protocol 2 say which attempt they speak of. */
  report(uuid: string, state: RunReportInput['state'], epoch: number, more?: object): RunReportInput;
}

type Row =
  | 'assigned to it'
  | 'offline, and it had it last'
  | 'staged, and it had it last'
  | 'starting, and the answer to its question was lost'
  | 'assigned to another'
  | 'final'
  | 'deleted'
  | 'to be killed'
  | 'further than it says';

interface Scene {
  readonly server: TestServer;
  readonly newWorker: () => Promise<AnyWorker>;
  readonly assigned: (worker: AnyWorker) => Promise<{ uuid: string; epoch: number }>;
  readonly running: (worker: AnyWorker) => Promise<{ uuid: string; epoch: number }>;
}

const kill = (uuid: string) => expect.objectContaining({ type: 'kill', uuid }) as unknown;
const mark = (uuid: string) => expect.objectContaining({ type: 'mark_finalized', uuid }) as unknown;

/** Both answers that a worker gets about a run that is not its own any more. */
async function isDisowned(worker: AnyWorker, uuid: string, epoch: number): Promise<void> {
  for (const state of ['preparing', 'running'] as const) {
    expect(await worker.checkin([worker.report(uuid, state, epoch)])).toContainEqual(kill(uuid));
  }
  expect(await worker.checkin([worker.report(uuid, 'finalizing', epoch)])).toContainEqual(mark(uuid));
}

const rows: Record<Row, (scene: Scene) => Promise<void>> = {
  'assigned to it': async ({ server, newWorker, running }) => {
    const worker = await newWorker();
    const { uuid, epoch } = await running(worker);
    await worker.checkin([worker.report(uuid, 'running', epoch, { container_time_total: 7 })]);
    expect(await viewBundle(server, uuid)).toMatchObject({ state: 'running', metadata: { time: 7 } });
  },
  'offline, and it had it last': async ({ server, newWorker, running }) => {
    const worker = await newWorker();
    const { uuid, epoch } = await running(worker);
    await worker.checkin();
    await worker.checkin();
    await untilState(server, uuid, ['worker_offline']);
    await worker.checkin([worker.report(uuid, 'running', epoch)]);
    expect((await viewBundle(server, uuid)).state).toBe('running');
    expect(await worker.checkin([worker.report(uuid, 'finalizing', epoch)])).toContainEqual(mark(uuid));
  },
  'staged, and it had it last': async ({ server, newWorker, assigned }) => {
    const worker = await newWorker();
    const { uuid, epoch } = await assigned(worker);
    expect(await worker.start(uuid, epoch)).toBe(true);
    await worker.checkin([worker.report(uuid, 'preparing', epoch)]);
    // Nobody else may take it meanwhile.
    await server.services.unitOfWork((unit) =>
      unit.queries.updateTable('worker').set({ exit_after_num_runs: 0 }).execute(),
    );
    await server.services.unitOfWork(async (unit) => {
      await unit.queries.updateTable('bundle').set({ state: 'staged' }).where('uuid', '=', uuid).execute();
      await unit.queries.deleteFrom('assignment').where('run_uuid', '=', uuid).execute();
    });
    await worker.checkin([worker.report(uuid, 'running', epoch)]);
    expect((await viewBundle(server, uuid)).state).toBe('running');
  },
  'starting, and the answer to its question was lost': async ({ server, newWorker, assigned }) => {
    const worker = await newWorker();
    const { uuid, epoch } = await assigned(worker);
    const answer = await worker.checkin([worker.report(uuid, 'running', epoch)]);
    expect((await viewBundle(server, uuid)).state).toBe('running');
    expect(answer.filter(({ type }) => type === 'run')).toEqual([]);
  },
  'assigned to another': async ({ server, newWorker, running }) => {
    const [worker, other] = [await newWorker(), await newWorker()];
    const { uuid, epoch } = await running(worker);
    await server.services.unitOfWork(async (unit) => {
      const workerId = (
        await unit.queries
          .selectFrom('worker')
          .select('worker_id')
          .where('tag', '=', other.tag)
          .executeTakeFirstOrThrow()
      ).worker_id;
      await unit.queries
        .updateTable('bundle')
        .set({ epoch: epoch + 1 })
        .where('uuid', '=', uuid)
        .execute();
      await unit.queries
        .updateTable('assignment')
        .set({ worker_id: workerId, epoch: epoch + 1 })
        .where('run_uuid', '=', uuid)
        .execute();
    });
    await isDisowned(worker, uuid, epoch);
    expect((await viewBundle(server, uuid)).state).toBe('running');
    expect(await other.checkin([other.report(uuid, 'finalizing', epoch + 1)])).toContainEqual(mark(uuid));
  },
  final: async ({ server, newWorker, running }) => {
    const worker = await newWorker();
    const { uuid, epoch } = await running(worker);
    await worker.checkin([worker.report(uuid, 'finalizing', epoch)]);
    await isDisowned(worker, uuid, epoch);
    expect((await viewBundle(server, uuid)).state).toBe('ready');
  },
  deleted: async ({ server, newWorker, running }) => {
    const worker = await newWorker();
    const { uuid, epoch } = await running(worker);
    await worker.checkin();
    await worker.checkin();
    await untilState(server, uuid, ['worker_offline']);
    const json = { data: [{ type: 'bundles', id: uuid }] };
    const deleted = await server.fetch('/rest/bundles?force=1', { as: 'root', method: 'DELETE', json });
    expect(deleted.status).toBe(200);
    await isDisowned(worker, uuid, epoch);
  },
  'to be killed': async ({ server, newWorker, running }) => {
    const worker = await newWorker();
    const { uuid, epoch } = await running(worker);
    expect((await act(server, uuid, { type: 'kill' })).status).toBe(200);
    for (let time = 1; time <= 2; time += 1) {
      const report = worker.report(uuid, 'running', epoch, { container_time_total: time });
      expect(await worker.checkin([report])).toContainEqual(kill(uuid));
      expect((await viewBundle(server, uuid)).metadata['time']).toBe(time);
    }
  },
  'further than it says': async ({ server, newWorker, running }) => {
    const worker = await newWorker();
    const { uuid, epoch } = await running(worker);
    await worker.checkin([worker.report(uuid, 'preparing', epoch, { run_status: 'Late news.' })]);
    expect(await viewBundle(server, uuid)).toMatchObject({
      state: 'running',
      metadata: { run_status: 'Late news.' },
    });
  },
};

let workers = 0;

async function workerOf(kind: 'original' | 'ours', server: TestServer): Promise<AnyWorker> {
  workers += 1;
  const offer = { tag: `fence${workers}`, tag_exclusive: true, hold: 0 };
  const report: AnyWorker['report'] = (uuid, state, epoch, more = {}) => ({
    ...reportOf(uuid, state, { ...(state === 'finalizing' ? { exitcode: 0 } : {}), ...more }),
    ...(kind === 'ours' ? { epoch } : {}),
  });
  if (kind === 'original') {
    const worker = await originalWorker(server, { id: `fenced(${workers})` });
    return {
      tag: offer.tag,
      report,
      start: (uuid) => worker.start(uuid),
      checkin: async (runs = []) =>
        (await worker.checkin({ ...offer, runs })).filter((message) => message !== null),
    };
  }
  const worker = scriptedWorker(server, { id: `fenced-${workers}` });
  return {
    tag: offer.tag,
    report,
    start: (uuid, epoch) => worker.start(uuid, epoch),
    checkin: async (runs = []) => [...(await worker.checkin({ ...offer, runs }))],
  };
}

describe.each(databases)('%s', (database) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ database });
  });
  afterAll(async () => {
    await server.close();
  });

  describe.each(['original', 'ours'] as const)('a report of a worker (%s) about a run that is', (kind) => {
    it.each(Object.entries(rows))('%s', async (_row, shows) => {
      const scene: Scene = {
        server,
        newWorker: async () => {
          const worker = await workerOf(kind, server);
          await worker.checkin();
          return worker;
        },
        assigned: async (worker) => {
          const uuid = await createBundle(server, { metadata: { request_queue: worker.tag } });
          await until(async () => {
            const messages = await worker.checkin();
            return messages.some(({ type }) => type === 'run') ? true : undefined;
          }, 'a run message');
          const { epoch } = await server.services.database.queries
            .selectFrom('bundle')
            .select('epoch')
            .where('uuid', '=', uuid)
            .executeTakeFirstOrThrow();
          return { uuid, epoch };
        },
        running: async (worker) => {
          const run = await scene.assigned(worker);
          expect(await worker.start(run.uuid, run.epoch)).toBe(true);
          await worker.checkin([worker.report(run.uuid, 'running', run.epoch)]);
          await untilState(server, run.uuid, ['running']);
          return run;
        },
      };
      await shows(scene);
    });
  });
});
