import { clientDefaults } from '@sheaf/domain';
import { mebibytes, median, milliseconds, type Measurement, type Row } from './measure.ts';
import { cpuSeconds, peakBytes } from './resources.ts';
import { Connection } from './throughput/connection.ts';
import { startServerUnderLoad, type ServerUnderLoad } from './throughput/server-under-load.ts';

/** BENCH_BACKLOG: a smaller backlog, to try things; the larger one is ten times as much. */
const few = Number(process.env['BENCH_BACKLOG'] ?? 10_000);
const many = 10 * few;
const atOnce = 500;
const starts = 15;
/** Runs given away to see what giving one away costs. */
const given = 1000;

/** What runs that wait cost those that do not have to: one run more that can start, a pass, and giving runs away. */
export const backlog: Measurement = {
  name: 'backlog',
  async run() {
    const server = await startServerUnderLoad('sqlite');
    try {
      return await measure(server);
    } finally {
      await server.stop();
    }
  },
};

async function measure(server: ServerUnderLoad): Promise<Row[]> {
  const worker = new OneWorker(server);
  const empty = median(await worker.latencies());
  await create(server, few, 'nobody');
  await settled(server, few);
  const behind = await worker.latencies();
  const pass = await tick(server);
  const select = await selected(server, few);
  await create(server, few, 'everybody');
  await settled(server, 2 * few);
  const short = await worker.take(given);
  await create(server, many - few + given, 'everybody');
  await settled(server, many + few);
  const long = await worker.take(given);
  const peak = peakBytes(server.pid);
  return [
    {
      what: `from the creation of a run to its worker (${few} others wait that no worker can take)`,
      ours: `${milliseconds(median(behind))}, at most ${milliseconds(Math.max(...behind))}`,
      floor: `with nothing else waiting: ${milliseconds(empty)}`,
      bound: 'median < 100 ms',
      holds: median(behind) < 100,
    },
    {
      what: `a pass that looks everything over (${few} runs wait)`,
      ours: milliseconds(pass),
      floor: `naming them all, by the database alone: ${milliseconds(select)}`,
      bound: '< 50 ms',
      holds: pass < 50,
    },
    {
      what: `CPU of the server for each run given away (${many} wait)`,
      ours: milliseconds(long),
      floor: `${few} wait: ${milliseconds(short)}`,
      bound: '≤ 1.3 times',
      holds: long <= 1.3 * short,
    },
    {
      what: `server memory, peak (${many} runs wait)`,
      ours: mebibytes(peak),
      floor: '-',
      bound: '< 500 MB',
      holds: peak < 500e6,
    },
  ];
}

/** A worker that takes what it is given and never begins it; with no room at all, unless it is asked to take some. */
class OneWorker {
  readonly #server: ServerUnderLoad;
  readonly #connection: Connection;
  #acknowledged: number[] = [];

  constructor(server: ServerUnderLoad) {
    this.#server = server;
    this.#connection = new Connection(server.url, server.token);
  }

  /** Milliseconds from asking for a run that fits to the message about it, one run after the other. */
  async latencies(): Promise<number[]> {
    const took: number[] = [];
    for (let count = 0; count < starts; count += 1) {
      const held = this.#checkin({ cpus: 1, tag: 'fits', hold: 30 });
      // Until the server holds it.
      await new Promise((resolve) => setTimeout(resolve, 100));
      const begun = performance.now();
      await create(this.#server, 1, 'fits');
      for (let uuids = await held; ; uuids = await this.#checkin({ cpus: 1, tag: 'fits', hold: 30 })) {
        if (uuids.length === 0) continue;
        took.push(performance.now() - begun);
        await this.#end(uuids);
        break;
      }
    }
    return took;
  }

  /** CPU milliseconds of the server for each of the runs, given away at once. */
  async take(count: number): Promise<number> {
    const before = cpuSeconds(this.#server.pid);
    const uuids: string[] = [];
    while (uuids.length < count)
      uuids.push(...(await this.#checkin({ cpus: count, tag: 'everybody', hold: 5 })));
    const used = cpuSeconds(this.#server.pid) - before;
    await this.#checkin({ cpus: 0, tag: 'everybody', hold: 0 });
    await this.#end(uuids);
    return (used / uuids.length) * 1000;
  }

  async #checkin({ cpus, tag, hold }: { cpus: number; tag: string; hold: number }): Promise<string[]> {
    const ack = this.#acknowledged;
    this.#acknowledged = [];
    const { status, body } = await this.#connection.post('/workers/backlog/checkin', {
      tag,
      group_name: null,
      cpus,
      gpus: 0,
      memory_bytes: 16 * 1024 ** 4,
      free_disk_bytes: 1024 ** 4,
      dependencies: [],
      hostname: 'bench',
      runs: [],
      shared_file_system: false,
      tag_exclusive: true,
      exit_after_num_runs: 999_999_999,
      is_terminating: false,
      preemptible: false,
      protocol: 2,
      version: '0.1.0',
      runtime: { name: 'none', images: true, description: 'Executes nothing.' },
      hold,
      ack,
    });
    if (status !== 200) throw new Error(`The check-in is answered ${status}: ${body.slice(0, 300)}`);
    const messages = (JSON.parse(body) as (Message | null)[]).filter((message) => message !== null);
    this.#acknowledged = messages.flatMap(({ message_id: id }) => id ?? []);
    return messages.flatMap(({ type, bundle }) => (type === 'run' && bundle ? [bundle.uuid] : []));
  }

  async #end(uuids: readonly string[]): Promise<void> {
    for (let start = 0; start < uuids.length; start += atOnce) {
      const data = uuids
        .slice(start, start + atOnce)
        .map((uuid) => ({ type: 'bundle-actions', attributes: { uuid, type: 'kill' } }));
      await send(this.#server, '/bundle-actions', { data });
    }
  }
}

interface Message {
  readonly type: string;
  readonly message_id?: number;
  readonly bundle?: { readonly uuid: string };
}

async function create(server: ServerUnderLoad, count: number, queue: string): Promise<void> {
  const metadata = { ...clientDefaults('run'), name: 'backlog', request_queue: queue };
  const attributes = { bundle_type: 'run', command: 'true', metadata, dependencies: [] };
  for (let made = 0; made < count; made += atOnce) {
    const data = Array.from({ length: Math.min(atOnce, count - made) }, () => ({
      type: 'bundles',
      attributes,
    }));
    await send(server, '/bundles?detached=1', { data });
  }
}

async function send(server: ServerUnderLoad, path: string, json: unknown): Promise<void> {
  const answer = await fetch(`${server.url}/rest${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(json),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path} answers ${answer.status}: ${text.slice(0, 300)}`);
}

async function figures(server: ServerUnderLoad): Promise<(name: string) => number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return (name) => Number(new RegExp(`^sheaf_scheduler_${name} (.*)$`, 'm').exec(text)?.[1] ?? Number.NaN);
}

/** Waits until that many runs wait, and the scheduler has nothing more to do. */
async function settled(server: ServerUnderLoad, waiting: number): Promise<void> {
  for (let quietSince = -1; ;) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    const figure = await figures(server);
    const passes = figure('passes_total');
    if (figure('waiting_runs') >= waiting && passes === quietSince) return;
    quietSince = passes;
  }
}

/** Milliseconds that the passes of the safety tick take, which look everything over; nothing else is going on. */
async function tick(server: ServerUnderLoad): Promise<number> {
  const before = await figures(server);
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const now = await figures(server);
    const passes = now('looked_over_total') - before('looked_over_total');
    if (passes < 2) continue;
    return ((now('pass_seconds_total') - before('pass_seconds_total')) / passes) * 1000;
  }
}

async function selected({ database }: ServerUnderLoad, count: number): Promise<number> {
  const took: number[] = [];
  for (let time = 0; time < 5; time += 1) {
    const begun = performance.now();
    const rows = await database.all("select id, uuid, version from bundle where state = 'staged'");
    took.push(performance.now() - begun);
    if (rows.length < count) throw new Error('Not all of the runs wait');
  }
  return median(took);
}
