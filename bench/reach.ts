import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, pythonImage, requireDockerEngine, requireRegistry } from '@sheaf/testkit';
import { Installation } from '../tests/support/installation.ts';
import { root } from '../tests/support/programs.ts';
import { median, milliseconds, percentile, timed, type Measurement, type Row } from './measure.ts';
import { connect } from './run-latency.ts';

const rounds = 20;
/** Ignores what can be ignored; says so when it has begun. */
const stubborn = "trap '' TERM INT HUP; echo here; while :; do sleep 0.2; done";

/** How fast a running run is reached: killed, read, followed, entered. */
export const reach: Measurement = {
  name: 'reach',
  async run() {
    await requireDockerEngine();
    const registry = await requireRegistry();
    const image = await pythonImage(registry);
    const installation = await Installation.start('docker');
    try {
      const runs = await openRuns(installation, image);
      return [
        ...(await kills(runs)),
        ...(await firstBytes(runs)),
        ...(await liveLines(runs)),
        ...(await commands(runs)),
      ];
    } finally {
      await installation.stop();
      await registry.stop();
    }
  },
};

type Runs = Awaited<ReturnType<typeof openRuns>>;

async function openRuns(installation: Installation, image: string) {
  const client = await connect(installation);
  const headers = { authorization: `Bearer ${await installation.token()}` };
  return {
    installation,
    get: (path: string) => fetch(`${installation.url}/rest${path}`, { headers }),
    kill: (uuid: string) => client.kill(uuid),
    begin: async (command: string): Promise<string> => {
      const uuid = await client.create(image, command);
      await installation.inState(uuid, 'running');
      await eventually('the command has begun', async () => {
        const answer = await fetch(`${installation.url}/rest/bundles/${uuid}/contents/blob/stdout`, {
          headers,
        });
        return answer.ok && (await answer.text()) !== '' ? true : undefined;
      });
      return uuid;
    },
    askToKill: async (uuid: string): Promise<void> => {
      await fetch(`${installation.url}/rest/bundle-actions`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({ data: [{ type: 'bundle-actions', attributes: { type: 'kill', uuid } }] }),
      });
    },
  };
}

const containerOf = (uuid: string) => `codalab_run_${uuid}`;

function engine(method: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath: '/var/run/docker.sock', method, path }, (response) => {
      let text = '';
      response
        .setEncoding('utf8')
        .on('data', (piece: string) => (text += piece))
        .on('end', () => resolve(text));
    });
    outgoing.on('error', reject).end();
  });
}

/** Until the run's first process is not there any more. */
async function killed(uuid: string, kill: () => Promise<unknown>): Promise<number> {
  const { State } = JSON.parse(await engine('GET', `/containers/${containerOf(uuid)}/json`)) as {
    State: { Pid: number };
  };
  const begin = performance.now();
  const asked = kill();
  while (isThere(State.Pid)) await sleep(1);
  const end = performance.now();
  await asked;
  return end - begin;
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function kills({ begin, askToKill, kill, installation }: Runs): Promise<Row[]> {
  const ours: number[] = [];
  const floor: number[] = [];
  for (let round = 0; round < rounds / 2; round += 1) {
    const [one, other] = [await begin(stubborn), await begin(stubborn)];
    ours.push(await killed(one, () => askToKill(one)));
    floor.push(
      await killed(other, () => engine('POST', `/containers/${containerOf(other)}/kill?signal=KILL`)),
    );
    // An end that somebody else brought about is not the run's: it would be tried again.
    await kill(other);
    await installation.finished(one);
  }
  const row = (what: string, percent: number): Row => ({
    what: `kill → the run's process is gone, whatever it ignores (${what} of ${ours.length})`,
    ours: milliseconds(percentile(ours, percent)),
    floor: `engine, kill of the same container: ${milliseconds(percentile(floor, percent))}`,
    bound: '≤ 200 ms',
    holds: percentile(ours, percent) <= 200,
  });
  return [row('median', 50), row('95th percentile', 95)];
}

async function firstBytes({ begin, get, kill }: Runs): Promise<Row[]> {
  const uuid = await begin(stubborn);
  const ours: number[] = [];
  for (let round = 0; round < 2 * rounds; round += 1) {
    const { ms } = await timed(async () => {
      const answer = await get(`/bundles/${uuid}/contents/blob/stdout`);
      await answer.text();
    });
    ours.push(ms);
  }
  const info = await timed(() => get(`/bundles/${uuid}`));
  await kill(uuid);
  return [
    {
      what: `read of a file of a running run, through server and worker (median of ${ours.length}; 95th percentile ${milliseconds(percentile(ours, 95))})`,
      ours: milliseconds(median(ours)),
      floor: `a question the server answers by itself: ${milliseconds(info.ms)}`,
      bound: '≤ 50 ms',
      holds: median(ours) <= 50,
    },
  ];
}

/** The age of lines, which begin with when they were written, when they arrive. */
async function agesOf(source: Readable, count: number): Promise<number[]> {
  const ages: number[] = [];
  for await (const line of createInterface({ input: source })) {
    const written = Number(line);
    if (written > 1e12) ages.push(Date.now() - written);
    if (ages.length === count) break;
  }
  return ages.slice(5);
}

async function liveLines({ begin, get, kill, installation }: Runs): Promise<Row[]> {
  const uuid = await begin('while :; do date +%s%3N; sleep 0.05; done');
  const file = join(installation.home, 'worker', 'runs', uuid, 'stdout');
  const answer = await get(`/bundles/${uuid}/contents/follow/stdout`);
  const tail = spawn('tail', ['-n', '0', '-f', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const stream = Readable.fromWeb(answer.body as ReadableStream<Uint8Array>);
    const [ours, floor] = await Promise.all([agesOf(stream, 100), agesOf(tail.stdout, 100)]);
    return [
      {
        what: `a line that a run writes → at a reader (95th percentile of ${ours.length})`,
        ours: milliseconds(percentile(ours, 95)),
        floor: `\`tail -f\` of the file itself: ${milliseconds(percentile(floor, 95))}`,
        bound: '≤ 100 ms',
        holds: percentile(ours, 95) <= 100,
      },
    ];
  } finally {
    tail.kill();
    await kill(uuid);
  }
}

async function commands({ begin, kill, installation }: Runs): Promise<Row[]> {
  const uuid = await begin(stubborn);
  const env = { PATH: process.env['PATH'], SHEAF_HOME: installation.home, CODALAB_SESSION: 'bench' };
  const program = async (file: string, words: string[]) => {
    const { ms, result } = await timed(async () => {
      const child = spawn(file, words, { env, stdio: ['ignore', 'ignore', 'inherit'] });
      return (await once(child, 'close')) as [number | null];
    });
    if (result[0] !== 0) throw new Error(`${file} ended with ${String(result[0])}`);
    return ms;
  };
  const ours: number[] = [];
  const peer: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    ours.push(await program(process.execPath, [join(root, 'bin/cl'), 'exec', '-n', uuid, '/bin/true', '--']));
    peer.push(await program('docker', ['exec', containerOf(uuid), '/bin/true']));
  }
  await kill(uuid);
  return [
    {
      what: `\`cl exec RUN /bin/true\`, whole program (median of ${rounds})`,
      ours: milliseconds(median(ours)),
      floor: `\`docker exec\` in the same container: ${milliseconds(median(peer))}`,
      bound: '≤ 150 ms more',
      holds: median(ours) <= median(peer) + 150,
    },
  ];
}
