import { createConnection } from 'node:net';
import { mebibytes, median, milliseconds, percentile, type Measurement, type Row } from './measure.ts';
import { cpuSeconds, peakBytes } from './resources.ts';
import { bareLives } from './throughput/bare-database.ts';
import { Load, type Observed } from './throughput/load.ts';
import type { ReadDatabase } from './throughput/read-database.ts';
import { startServerUnderLoad, type Engine, type ServerUnderLoad } from './throughput/server-under-load.ts';

/** BENCH_WORKERS, BENCH_QUEUED, BENCH_SECONDS, BENCH_ENGINES (with a comma): a smaller or a longer measurement, to try things. */
const number = (name: string, usual: number) => Number(process.env[name] ?? usual);
const workers = number('BENCH_WORKERS', 1000);
const queued = number('BENCH_QUEUED', 50_000);
const seconds = number('BENCH_SECONDS', 30);
const engines = (process.env['BENCH_ENGINES'] ?? 'sqlite,postgresql').split(',') as Engine[];
/** Seconds until every worker is there and has something to do. */
const warmUp = number('BENCH_WARM_UP', 15);

/** Three slots, each busy for 4 to 6 s: with a thousand workers 600 runs in a second at most, which is more than the server has to take. */
const full = {
  slots: number('BENCH_SLOTS', 3),
  command: [3800, 5800],
  preparation: 50,
} as const;
/** Runs in a second of which it is asked how long workers wait for answers: a little more than has to be possible. */
const steadyRate = 515;
/** Milliseconds that a slot is empty or prepares between two commands. */
const between = 250;
const steadyCommand = Math.max(200, (workers * full.slots * 1000) / steadyRate - between);
const steady = { ...full, command: [steadyCommand * 0.82, steadyCommand * 1.18] } as const;

/**
 * Whole lives of runs (assigned, taken, running, finalizing, final) in a second, with simulated workers that speak the worker's protocol
 * and all runs waiting in one queue. The load generator is this process.
 */
export const throughput: Measurement = {
  name: 'throughput',
  async run() {
    const rows: Row[] = [];
    for (const engine of engines) rows.push(...(await measure(engine)));
    return rows;
  },
};

async function measure(engine: Engine): Promise<Row[]> {
  const server = await startServerUnderLoad(engine);
  try {
    const before = performance.now();
    await server.queue(queued);
    console.error(
      `  ${engine}: ${queued} runs wait after ${Math.round((performance.now() - before) / 1000)} s`,
    );
    const load = new Load(server.url, server.token, workers, full);
    load.start();
    await pause(warmUp);
    // Its connection stands before it counts how long an answer takes.
    await probe(server.url, 0.1);
    const busiest = await observe(server, load, seconds);
    load.become(steady);
    // Until everything that was begun before has ended.
    await pause(full.command[1] / 1000 + steadyCommand / 500);
    const calm = await observe(server, load, seconds);
    load.stop();
    await server.restart();
    const storm = new Load(server.url, server.token, workers, full);
    const arrival = await storm.arriveTogether();
    storm.stop();
    const bare = await bareLives(await server.emptyDatabase(), bareRuns, together);
    return [...rowsOf(engine, busiest, calm, bare), arrivalRow(engine, arrival, storm.take())];
  } finally {
    await server.stop();
  }
}

/** Runs of which the floor is taken, and how many of them go together: about as many as the server takes together under this load. */
const bareRuns = 10_000;
const together = 20;

interface Window {
  readonly observed: Observed;
  readonly seconds: number;
  /** CPU seconds of the server, and of this process. */
  readonly serverCpu: number;
  readonly loadCpu: number;
  readonly peak: number;
  /** Milliseconds that something at hand has to wait for the server's attention. */
  readonly delays: readonly number[];
  /** Milliseconds from the decision to give a run (or the check-in, where that came later) to its arrival at the worker. */
  readonly handed: readonly number[];
}

async function observe(server: ServerUnderLoad, load: Load, length: number): Promise<Window> {
  load.take();
  const begun = performance.now();
  const serverCpu = cpuSeconds(server.pid);
  const loadCpu = process.cpuUsage();
  const delays = probe(server.url, length);
  await pause(length);
  const observed = load.take();
  const took = (performance.now() - begun) / 1000;
  const used = process.cpuUsage(loadCpu);
  return {
    observed,
    seconds: took,
    serverCpu: cpuSeconds(server.pid) - serverCpu,
    loadCpu: (used.user + used.system) / 1e6,
    peak: peakBytes(server.pid),
    delays: await delays,
    handed: await handedOver(server.database, observed),
  };
}

/** How long the server takes to answer what needs nothing but its attention. */
async function probe(url: string, length: number): Promise<number[]> {
  const { hostname, port } = new URL(url);
  const socket = createConnection({ host: hostname, port: Number(port), noDelay: true });
  await new Promise((resolve) => socket.once('connect', resolve));
  const request = `GET /no-such-page HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`;
  const delays: number[] = [];
  for (const end = performance.now() + length * 1000; performance.now() < end;) {
    const began = performance.now();
    const answered = new Promise((resolve) => socket.once('data', resolve));
    socket.write(request);
    await answered;
    delays.push(performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  socket.destroy();
  return delays;
}

async function handedOver(database: ReadDatabase, { given }: Observed): Promise<number[]> {
  if (given.length === 0) throw new Error('No run was given away meanwhile: more must be queued.');
  const since = Math.min(...given.map(({ sentAt }) => sentAt)) - 60_000;
  const rows = await database.all(
    `select bundle_uuid, at from bundle_event where kind = 'assigned' and at > ${Math.floor(since)}`,
  );
  const assignedAt = new Map(rows.map((row) => [row['bundle_uuid'], Number(row['at'])]));
  return given.map(
    ({ uuid, sentAt, receivedAt }) => receivedAt - Math.max(sentAt, assignedAt.get(uuid) ?? receivedAt),
  );
}

function rowsOf(engine: Engine, busiest: Window, calm: Window, bare: number): Row[] {
  const size = `${workers} workers, ${queued} queued, ${engine}`;
  const { ended, assigned } = rates(busiest);
  const cpu = (busiest.serverCpu / busiest.observed.ended) * 1000;
  const peak = Math.max(busiest.peak, calm.peak);
  return [
    {
      what: `whole runs in a second, as many as it takes (${size})`,
      ours: `${ended.toFixed(0)}/s final, ${assigned.toFixed(0)}/s assigned; server ${cpu.toFixed(2)} ms CPU a run; ${answersOf(busiest)}`,
      floor: `bare database, the least writes of a run's life, ${together} runs in a transaction: ${bare.toFixed(0)}/s; load generator: ${share(busiest.loadCpu, busiest)} of a core; server ${share(busiest.serverCpu, busiest)}`,
      bound: '≥ 500/s',
      holds: assigned >= 500 && ended >= 500 && !isRefusing(busiest),
    },
    answersRow(size, calm),
    {
      what: `server memory, peak (${size})`,
      ours: mebibytes(peak),
      floor: '-',
      bound: '< 500 MB',
      holds: peak < 500e6,
    },
  ];
}

function answersRow(size: string, calm: Window): Row {
  const { ended, assigned } = rates(calm);
  const { starts, reports } = calm.observed;
  const answers = [...starts, ...reports, ...calm.handed];
  return {
    what: `answers while ${steadyRate} runs a second are offered, median / 99th percentile (${size})`,
    ours: `${ended.toFixed(0)}/s final, ${assigned.toFixed(0)}/s assigned: ${answersOf(calm)}`,
    floor: `attention of the server: ${both(calm.delays)}; server ${share(calm.serverCpu, calm)} of a core`,
    bound: '99th percentile < 100 ms at ≥ 500/s',
    holds: percentile(answers, 99) < 100 && assigned >= 500 && !isRefusing(calm),
  };
}

function rates({ observed, seconds: took }: Window): { ended: number; assigned: number } {
  return { ended: observed.ended / took, assigned: observed.given.length / took };
}

function answersOf({ observed, handed }: Window): string {
  return `start ${both(observed.starts)}, report ${both(observed.reports)}, run handed over ${both(handed)}`;
}

function both(values: readonly number[]): string {
  return `${milliseconds(median(values))} / ${milliseconds(percentile(values, 99))}`;
}

function share(cpu: number, window: Window): string {
  return `${((cpu / window.seconds) * 100).toFixed(0)} %`;
}

function isRefusing({ observed: { refused } }: Window): boolean {
  if (refused.length > 0) console.error(`  refused ${refused.length}, such as: ${refused[0]}`);
  return refused.length > 0;
}

function arrivalRow(engine: Engine, arrival: number, { refused }: Observed): Row {
  if (refused.length > 0) console.error(`  refused ${refused.length}, such as: ${refused[0]}`);
  return {
    what: `all workers check in at once, after the server has been killed and started again (${workers} workers, ${engine})`,
    ours: `the last is answered after ${milliseconds(arrival)}`,
    floor: '-',
    bound: '< 5 s',
    holds: arrival < 5000 && refused.length === 0,
  };
}

function pause(length: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, length * 1000));
}
