import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pythonImage, requireDockerEngine, requireRegistry } from '@sheaf/testkit';
import { Installation } from '../tests/support/installation.ts';
import { run } from '../tests/support/programs.ts';
import { median, milliseconds, timed, type Measurement } from './measure.ts';
import { connect } from './run-latency.ts';

const count = 10_000;
const bytes = 1024 ** 3;
const rounds = 10;
const variants = 3;

/**
 * A run that depends on 1 GiB in 10,000 files, on the machine of the server: the first use of a tree, which is linked from the
 * server's store, and later uses, beside runs without a dependency; and `cp -al` of the same tree.
 */
export const dependencies: Measurement = {
  name: 'dependencies',
  async run() {
    await requireDockerEngine();
    const registry = await requireRegistry();
    const image = await pythonImage(registry);
    const installation = await Installation.start('docker');
    try {
      const directory = makeFiles(mkdtempSync(join(installation.home, 'bench-')));
      const linked = await copying(directory, '-al');
      const copied = await copying(directory, '-r');
      const uuids: string[] = [];
      for (let variant = 0; variant < variants; variant += 1) {
        writeFileSync(join(directory, 'variant'), String(variant));
        uuids.push(await installation.ok('upload', directory, '-n', `variant${variant}`));
      }
      const client = await connect(installation);
      const start = async (parent?: string) => (await client.execute(image, parent)).toStart;
      await start();
      const first: number[] = [];
      for (const uuid of uuids) first.push(await start(uuid));
      const without: number[] = [];
      const cached: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        without.push(await start());
        cached.push(await start(uuids[round % variants]));
      }
      const materialised = timesInLog(installation.log('worker'));
      const [again, anew] = [median(cached) - median(without), median(first) - median(without)];
      const floor = `\`cp -al\` ${milliseconds(linked)}, \`cp -r\` ${milliseconds(copied)}`;
      return [
        {
          what: `first use of 1 GiB in ${count} files from the server's own store, into the cache (median of ${variants})`,
          ours: milliseconds(median(materialised)),
          floor,
          bound: '< 300 ms',
          holds: median(materialised) < 300,
        },
        {
          what: 'create → container process started, with that dependency for the first time (median)',
          ours: milliseconds(median(first)),
          floor: `without a dependency: ${milliseconds(median(without))}; ${floor}`,
          bound: `< 300 ms more (measured ${milliseconds(anew)})`,
          holds: anew < 300,
        },
        {
          what: `the same, the dependency being cached (median of ${rounds})`,
          ours: milliseconds(median(cached)),
          floor: `without a dependency: ${milliseconds(median(without))}`,
          bound: `< 100 ms more (measured ${milliseconds(again)})`,
          holds: again < 100,
        },
      ];
    } finally {
      await installation.stop();
      await registry.stop();
    }
  },
};

function makeFiles(parent: string): string {
  const directory = join(parent, 'files');
  const content = randomBytes(Math.floor(bytes / count));
  for (let number = 0; number < count; number += 1) {
    const folder = join(directory, String(Math.floor(number / 1000)));
    if (number % 1000 === 0) mkdirSync(folder, { recursive: true });
    content.writeUInt32LE(number, 0);
    writeFileSync(join(folder, String(number)), content);
  }
  return directory;
}

async function copying(directory: string, how: string): Promise<number> {
  const { ms } = await timed(() => run('cp', [how, directory, `${directory}-copy`]));
  rmSync(`${directory}-copy`, { recursive: true });
  return ms;
}

/** What the worker says about each tree that it has put into its cache. */
function timesInLog(log: string): number[] {
  const lines = log.split('\n').filter((line) => line.includes('dependency cached'));
  return lines.map((line) => Number(/"?milliseconds"?\D+(\d+)/.exec(line)?.[1] ?? Number.NaN));
}
