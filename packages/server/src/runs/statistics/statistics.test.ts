/* What runs use over time: who may tell it, who may read it, what is kept. */
import type { RunSample, RunStatistics } from '@sheaf/wire';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databases, startTestServer, type TestServer } from '../../testing/test-server.ts';
import { createBundle, viewBundle } from '../testing/bundles.ts';
import { originalWorker } from '../testing/original-worker.ts';
import { reportOf, scriptedWorker, type ScriptedWorker } from '../testing/scripted-worker.ts';
import { mostPoints } from './segments.ts';
import { storeSamples } from './store.ts';

const start = 1_700_000_000_000;

function sample(second: number, more: Partial<RunSample> = {}): RunSample {
  return {
    at: start + second * 1000,
    cpu: 1.5,
    memory: 4096 + second,
    disk: 10,
    user: second,
    system: second / 2,
    ...more,
  };
}

function seconds(from: number, count: number): RunSample[] {
  return Array.from({ length: count }, (_, index) => sample(from + index));
}

describe.each(databases)('the statistics of a run (%s)', (database) => {
  let server: TestServer;
  let worker: ScriptedWorker;
  beforeEach(async () => {
    server = await startTestServer({ database });
    worker = scriptedWorker(server);
  });
  afterEach(() => server.close());

  const read = async (uuid: string, { as = 'alice', query = '' } = {}) => {
    const response = await server.fetch(`/rest/bundles/${uuid}/statistics${query}`, { as });
    return { status: response.status, text: await response.text() };
  };
  const attempts = async (uuid: string, query = '') => {
    const { status, text } = await read(uuid, { query });
    expect(status, text).toBe(200);
    return (JSON.parse(text) as { data: RunStatistics }).data.attributes.attempts;
  };
  const running = async (): Promise<{ uuid: string; epoch: number }> => {
    await worker.checkin({ hold: 0 });
    const waiting = worker.next('run');
    const uuid = await createBundle(server, { as: 'alice' });
    const { epoch = 1 } = await waiting;
    await worker.start(uuid, epoch);
    return { uuid, epoch };
  };

  it('are there while it runs, when it has ended, and until it is deleted', async () => {
    const { uuid, epoch } = await running();
    await worker.report([reportOf(uuid, 'running', { epoch, samples: seconds(0, 3) })]);

    expect(await attempts(uuid)).toEqual([
      {
        epoch,
        resolution: 1,
        points: [0, 1, 2].map((at) => [start + at * 1000, 1.5, 4096 + at, 10, at, at / 2]),
      },
    ]);

    await worker.report([
      reportOf(uuid, 'finalizing', { epoch, exitcode: 0, memory: 77, samples: [sample(3, { memory: 77 })] }),
    ]);
    expect(await viewBundle(server, uuid, 'alice')).toMatchObject({
      state: 'ready',
      metadata: { memory: 77 },
    });
    const [attempt] = await attempts(uuid);
    expect(attempt?.points).toHaveLength(4);
    expect((await attempts(uuid, `?after=${start + 1000}`))[0]?.points).toHaveLength(2);

    const deleted = await server.fetch('/rest/bundles', {
      as: 'alice',
      method: 'DELETE',
      json: { data: [{ type: 'bundles', id: uuid }] },
    });
    expect(deleted.status).toBe(200);
    expect((await read(uuid)).status).toBe(404);
    const left = await server.services.database.queries.selectFrom('run_series').selectAll().execute();
    expect(left).toEqual([]);
  });

  it('are for those who may read the run', async () => {
    const { uuid, epoch } = await running();
    await worker.report([reportOf(uuid, 'running', { epoch, samples: seconds(0, 1) })]);

    expect((await read(uuid, { as: 'mallory' })).status).toBe(403);
  });

  it('come by check-ins too, and twice is as good as once', async () => {
    const { uuid, epoch } = await running();
    const report = reportOf(uuid, 'running', { epoch, samples: seconds(0, 5) });
    await worker.checkin({ hold: 0, runs: [report] });
    await worker.report([report]);
    await worker.report([{ ...report, samples: seconds(3, 4) }]);

    expect((await attempts(uuid))[0]?.points.map(([at]) => (at - start) / 1000)).toEqual([
      0, 1, 2, 3, 4, 5, 6,
    ]);
  });

  it('stay few, at both ends exact, and go on growing', async () => {
    const { uuid, epoch } = await running();
    for (let from = 0; from < 3 * mostPoints; from += 400) {
      await worker.report([reportOf(uuid, 'running', { epoch, samples: seconds(from, 400) })]);
    }

    const [attempt] = await attempts(uuid);
    expect(attempt?.resolution).toBe(4);
    expect(attempt?.points.length).toBeLessThanOrEqual(mostPoints);
    expect(attempt?.points.length).toBeGreaterThan(mostPoints / 2);
    expect(attempt?.points[0]?.[0]).toBe(start);
    expect(attempt?.points.at(-1)?.[0]).toBe(start + (3 * mostPoints - 1) * 1000);
    const times = attempt?.points.map(([at]) => at) ?? [];
    expect(times).toEqual(times.toSorted((left, right) => left - right));
  });

  it('keep attempts apart', async () => {
    const { uuid, epoch } = await running();
    await worker.report([reportOf(uuid, 'running', { epoch, samples: seconds(0, 2) })]);
    const again = worker.next('run');
    await worker.report([reportOf(uuid, 'staged', { epoch })]);
    const { epoch: later = 0 } = await again;
    await worker.start(uuid, later);
    await worker.report([reportOf(uuid, 'running', { epoch: later, samples: seconds(100, 1) })]);

    const both = await attempts(uuid);
    expect(both.map((one) => [one.epoch, one.points.length])).toEqual([
      [epoch, 2],
      [later, 1],
    ]);
  });

  it('of a run that is begun again and again are those of its last ten attempts', async () => {
    const { uuid } = await running();
    for (let epoch = 1; epoch <= 12; epoch += 1) {
      const samples = seconds(epoch * 100, 1);
      await server.services.unitOfWork((unit) => storeSamples(unit, [{ uuid, epoch, samples }]));
    }

    expect((await attempts(uuid)).map(({ epoch }) => epoch)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  it('are not taken from a worker that lost the run', async () => {
    const { uuid, epoch } = await running();
    await worker.report([reportOf(uuid, 'running', { epoch: epoch + 1, samples: seconds(0, 2) })]);

    expect(await attempts(uuid)).toEqual([]);
  });

  it('that make no sense cost nobody anything', async () => {
    const { uuid, epoch } = await running();
    const odd = [sample(0, { at: 1e300 }), sample(0, { at: -5 })];
    await worker.report([reportOf(uuid, 'running', { epoch, container_time_total: 1, samples: odd })]);
    const broken = {
      ...reportOf(uuid, 'running', { epoch, container_time_total: 2 }),
      samples: [{ at: 'x' }],
    };
    await worker.post('report', { runs: [broken], ack: [] });
    await worker.report([reportOf(uuid, 'running', { epoch, samples: seconds(0, 1) })]);

    expect((await viewBundle(server, uuid, 'alice')).metadata['time']).toBe(2);
    expect((await attempts(uuid))[0]?.points).toHaveLength(1);
  });

  it('of an original worker are made of what it says', async () => {
    const original = await originalWorker(server);
    const uuid = await createBundle(server, { as: 'alice', metadata: { request_memory: '1g' } });
    for (let tries = 0; tries < 50; tries += 1) {
      const messages = await original.checkin();
      if (messages.some((message) => message?.['type'] === 'run')) break;
    }
    await original.start(uuid);
    const report = reportOf(uuid, 'running', {
      cpu_usage: 0.75,
      memory_usage: 0.5,
      disk_utilization: 123,
      container_time_total: 2,
    });
    await original.checkin({ runs: [report] });

    const [attempt] = await attempts(uuid);
    expect(attempt?.points.map((point) => point.slice(1))).toEqual([[0.75, 2 ** 29, 123, null, null]]);
    expect((await viewBundle(server, uuid, 'alice')).metadata).toMatchObject({
      memory: 2 ** 29,
      memory_max: 2 ** 29,
      memory_usage: 0.5,
      cpu_usage: 0.75,
    });
  });
});
