/** Disks are full for a while. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Chance } from '../random.ts';
import { anyWorker, second, type Fault } from './fault.ts';

const fillWorker: Fault = {
  name: 'fill the disk of a worker',
  weight: 2,
  causes: ['disk-full'],
  strike(site, chance) {
    const { disk, program } = anyWorker(site, chance);
    return fill(disk, `disk of ${program.name}`, chance.between(3 * second, 8 * second), chance);
  },
};

const fillServer: Fault = {
  name: 'fill the disk of the server',
  weight: 1,
  causes: ['dependency-unreachable'],
  strike(site, chance) {
    return fill(site.home, 'disk of the server', chance.between(second, 5 * second), chance);
  },
};

function fill(disk: string, name: string, away: number, chance: Chance): ReturnType<Fault['strike']> {
  const file = join(disk, `ballast-${chance.between(0, 1e9)}`);
  // Writes until there is no room for more, while others go on writing.
  spawnSync('dd', ['if=/dev/zero', `of=${file}`, 'bs=64k'], { stdio: 'ignore' });
  return {
    what: `${name} full for ${away} ms`,
    over: (async () => {
      await sleep(away);
      rmSync(file, { force: true });
    })(),
  };
}

export const diskFaults = [fillWorker, fillServer];
