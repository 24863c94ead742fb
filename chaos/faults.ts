/** What goes wrong, and how it is put right again. Several faults may be under way at once; nothing waits for another. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Chance } from './random.ts';
import { setClock, type Site, type Worker } from './site.ts';

export interface Fault {
  readonly name: string;
  /** How often it is chosen, against the others. */
  readonly weight: number;
  /** Breaks something, leaves it broken for a while, and mends it. Returns the words for the log, once it is broken. */
  strike(site: Site, chance: Chance): { readonly what: string; readonly over: Promise<void> };
}

const second = 1000;

function worker(site: Site, chance: Chance): Worker {
  const [first, ...rest] = site.workers;
  if (first === undefined) throw new Error('There are no workers');
  return chance.pick([first, ...rest]);
}

const killServer: Fault = {
  name: 'kill the server',
  weight: 2,
  strike(site, chance) {
    const away = chance.between(100, 4 * second);
    return {
      what: `server killed, away for ${away} ms`,
      over: (async () => {
        await site.server.end('SIGKILL');
        await sleep(away);
        site.server.start();
      })(),
    };
  },
};

const killWorker: Fault = {
  name: 'kill a worker',
  weight: 3,
  strike(site, chance) {
    const { program } = worker(site, chance);
    // Longer than the server waits for it every other time.
    const away = chance.between(100, 14 * second);
    return {
      what: `worker ${program.name} killed, away for ${away} ms`,
      over: (async () => {
        await program.end('SIGKILL');
        await sleep(away);
        program.start();
      })(),
    };
  },
};

const restartWorker: Fault = {
  name: 'restart a worker',
  weight: 1,
  strike(site, chance) {
    const { program } = worker(site, chance);
    return {
      what: `worker ${program.name} restarted`,
      over: (async () => {
        await program.end('SIGTERM');
        program.start();
      })(),
    };
  },
};

const restartServer: Fault = {
  name: 'restart the server',
  weight: 1,
  strike(site) {
    return {
      what: 'server restarted',
      over: (async () => {
        await site.server.end('SIGTERM');
        site.server.start();
      })(),
    };
  },
};

const cutHost: Fault = {
  name: 'cut a host off',
  weight: 3,
  strike(site, chance) {
    const { host, program } = worker(site, chance);
    const away = chance.between(second, 16 * second);
    host.cut();
    return {
      what: `host ${program.name} cut off for ${away} ms`,
      over: (async () => {
        await sleep(away);
        host.heal();
      })(),
    };
  },
};

const pauseWorker: Fault = {
  name: 'pause a worker',
  weight: 2,
  strike(site, chance) {
    const { program } = worker(site, chance);
    const away = chance.between(second, 14 * second);
    program.pause();
    return {
      what: `worker ${program.name} paused for ${away} ms`,
      over: (async () => {
        await sleep(away);
        program.resume();
      })(),
    };
  },
};

const pauseServer: Fault = {
  name: 'pause the server',
  weight: 1,
  strike(site, chance) {
    const away = chance.between(500, 4 * second);
    site.server.pause();
    return {
      what: `server paused for ${away} ms`,
      over: (async () => {
        await sleep(away);
        site.server.resume();
      })(),
    };
  },
};

const fillDisk: Fault = {
  name: 'fill a disk',
  weight: 2,
  strike(site, chance) {
    const { disk, program } = worker(site, chance);
    const away = chance.between(second, 8 * second);
    const file = join(disk, `ballast-${chance.between(0, 1e9)}`);
    // Writes until there is no room for more, while others go on writing.
    spawnSync('dd', ['if=/dev/zero', `of=${file}`, 'bs=64k'], { stdio: 'ignore' });
    return {
      what: `disk of ${program.name} full for ${away} ms`,
      over: (async () => {
        await sleep(away);
        rmSync(file, { force: true });
      })(),
    };
  },
};

const moveWorkerClock: Fault = {
  name: 'move a worker’s clock',
  weight: 1,
  strike(site, chance) {
    const { clock, program } = worker(site, chance);
    const seconds = chance.pick([-86_400, -3600, -60, 60, 3600, 86_400]);
    const away = chance.between(2 * second, 10 * second);
    setClock(clock, seconds);
    return {
      what: `clock of ${program.name} wrong by ${seconds} s for ${away} ms`,
      over: (async () => {
        await sleep(away);
        setClock(clock, 0);
      })(),
    };
  },
};

const moveServerClock: Fault = {
  name: 'move the server’s clock',
  weight: 1,
  strike(site, chance) {
    const seconds = chance.pick([-600, -30, 30, 600]);
    const away = chance.between(2 * second, 6 * second);
    setClock(site.serverClock, seconds);
    return {
      what: `clock of the server wrong by ${seconds} s for ${away} ms`,
      over: (async () => {
        await sleep(away);
        setClock(site.serverClock, 0);
      })(),
    };
  },
};

export const faults: readonly Fault[] = [
  killServer,
  killWorker,
  restartWorker,
  restartServer,
  cutHost,
  pauseWorker,
  pauseServer,
  fillDisk,
  moveWorkerClock,
  moveServerClock,
];

export function chooseFault(among: readonly Fault[], chance: Chance): Fault {
  const total = among.reduce((sum, { weight }) => sum + weight, 0);
  let left = chance.next() * total;
  for (const fault of among) {
    left -= fault.weight;
    if (left < 0) return fault;
  }
  throw new Error('There is no fault to choose');
}
