/* The smallest run there is, many times: what an installation adds to what a container or a sandbox costs by itself. */
import { availableParallelism } from 'node:os';
import {
  pythonArchive,
  pythonImage,
  requireDockerEngine,
  requirePodman,
  requireRegistry,
  requireSlurm,
  type Registry,
} from '@sheaf/testkit';
import { Installation, type RuntimeChoice } from '../tests/support/installation.ts';
import { containersOf } from './direct-containers.ts';
import { runcContainersOf } from './direct-runc.ts';
import { sandboxesOf } from './direct-sandboxes.ts';
import type { Measurement, Row } from './measure.ts';
import { connect } from './run-latency.ts';

/** A few dozen show the same within some percent: `SHEAF_BENCH_RUNS=40`. */
const count = Number(process.env['SHEAF_BENCH_RUNS'] ?? 200);
/** Ours and the floor take turns, so that both meet the same noise. */
const turns = 4;
const parallel = availableParallelism();

export type Client = Awaited<ReturnType<typeof connect>>;

/** The same things without us: each call makes one, runs `true` in it, and removes it. */
export interface Direct {
  readonly words: string;
  /** @param slot number of the loop, below the number of processors */
  execute(slot: number): Promise<void>;
  /** Waits until nothing of our runs is left on the machine. */
  cleared(): Promise<void>;
  close(): Promise<void>;
}

/** Where runs execute. */
interface Place {
  /** What they name; empty where there are no images. */
  readonly image: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly direct: (client: Client, image: string, installation: Installation) => Promise<Direct>;
  close(): Promise<void>;
}

interface Way {
  readonly runtime: RuntimeChoice;
  /** Least share of the direct way's pace in percent; undefined: for comparison only. */
  readonly bound: number | undefined;
  open(registry: Registry): Promise<Place>;
}

const nothing = () => Promise.resolve();

const ways: readonly Way[] = [
  {
    runtime: 'docker',
    bound: 90,
    open: async (registry) => {
      const { socketPath } = await requireDockerEngine();
      return { image: await pythonImage(registry), direct: containersOf(socketPath), close: nothing };
    },
  },
  {
    runtime: 'podman',
    bound: undefined,
    open: async () => {
      const podman = await requirePodman();
      return {
        image: await podman.importImage(await pythonArchive(), 'sheaf-test/python', '1'),
        environment: { DOCKER_HOST: `unix://${podman.socketPath}` },
        direct: containersOf(podman.socketPath),
        close: () => podman.stop(),
      };
    },
  },
  {
    runtime: 'runc',
    bound: undefined,
    open: async (registry) => ({
      image: await pythonImage(registry),
      direct: runcContainersOf,
      close: nothing,
    }),
  },
  {
    runtime: 'sandbox',
    bound: undefined,
    open: () => Promise.resolve({ image: '', direct: sandboxesOf, close: nothing }),
  },
];

/** All, or those of `SHEAF_BENCH_RUNTIMES=runc,sandbox`. */
const wanted = process.env['SHEAF_BENCH_RUNTIMES']?.split(',');

export const trueRuns: Measurement = {
  name: 'true-runs',
  async run() {
    const registry = await requireRegistry();
    try {
      const slurm = await slurmPace();
      const rows: Row[] = [];
      for (const way of ways) {
        if (wanted !== undefined && !wanted.includes(way.runtime)) continue;
        const place = await way.open(registry);
        try {
          rows.push(...(await measure(way, place, slurm)));
        } finally {
          await place.close();
        }
      }
      return rows;
    } finally {
      await registry.stop();
    }
  },
};

async function measure(way: Way, place: Place, slurm: number): Promise<Row[]> {
  const { image } = place;
  const installation = await Installation.start(way.runtime, place.environment);
  try {
    const client = await connect(installation);
    // What only the first run of an installation does is not measured.
    const [warm = ''] = await client.createMany(1, image, 'true');
    await client.ready(warm);
    const direct = await place.direct(client, image, installation);
    const ours: number[] = [];
    const floor: number[] = [];
    for (let turn = 0; turn < turns; turn += 1) {
      floor.push(await pace(() => inLoops((slot) => direct.execute(slot))));
      ours.push(
        await pace(async () => {
          for (const uuid of await client.createMany(count / turns, image, 'true')) await client.ready(uuid);
          await direct.cleared();
        }),
      );
    }
    await direct.close();
    const share = (total(ours) / total(floor)) * 100;
    const measured = `measured ${share.toFixed(0)} %`;
    return [
      {
        what: `\`true\` × ${count} (${way.runtime}), ${parallel} at a time, created over REST until \`ready\` and cleared away`,
        ours: perSecond(total(ours)),
        floor: `${direct.words}: ${perSecond(total(floor))}; Slurm, \`sbatch\` without a container: ${perSecond(slurm)}`,
        bound: way.bound === undefined ? `- (${measured})` : `≥ ${way.bound} % (${measured})`,
        holds: way.bound === undefined || share >= way.bound,
      },
    ];
  } finally {
    await installation.stop();
  }
}

/** Runs a second in one turn. */
async function pace(turn: () => Promise<void>): Promise<number> {
  const begin = performance.now();
  await turn();
  return count / turns / ((performance.now() - begin) / 1000);
}

/** Of all turns together: the slow ones count for as long as they took. */
function total(paces: readonly number[]): number {
  return paces.length / paces.reduce((sum, one) => sum + 1 / one, 0);
}

const perSecond = (value: number) => `${value.toFixed(1)} runs/s`;

async function inLoops(execute: (slot: number) => Promise<void>): Promise<void> {
  let left = count / turns;
  const loop = async (slot: number): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await execute(slot);
    }
  };
  await Promise.all(Array.from({ length: parallel }, (_, slot) => loop(slot)));
}

async function slurmPace(): Promise<number> {
  const slurm = await requireSlurm();
  try {
    await slurm.finish(await slurm.submit('true'));
    const begin = performance.now();
    const jobs: string[] = [];
    let left = count;
    const loop = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        jobs.push(await slurm.submit('true'));
      }
    };
    await Promise.all(Array.from({ length: parallel }, loop));
    await slurm.finish(...jobs);
    return count / ((performance.now() - begin) / 1000);
  } finally {
    await slurm.stop();
  }
}
