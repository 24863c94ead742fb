/** Hosts are cut off, and requests are lost, doubled, stopped half-way, or answered by somebody else. */
import type { Fate } from '@sheaf/testkit';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Chance } from '../random.ts';
import { anyWorker, second, type Fault } from './fault.ts';

const cutHost: Fault = {
  name: 'cut a host off',
  weight: 3,
  causes: ['dependency-unreachable'],
  strike(site, chance) {
    const { host, program } = anyWorker(site, chance);
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

const spoilLine: Fault = {
  name: 'lose and double requests',
  weight: 3,
  causes: ['dependency-unreachable'],
  strike({ line }, chance) {
    const away = chance.between(2 * second, 10 * second);
    const [share, source] = [chance.pick([0.1, 0.3, 0.6]), chance.branch()];
    const fate = (): Fate => (source.next() < share ? fateFrom(source) : 'pass');
    line.fate = fate;
    return {
      what: `${share * 100} % of the requests lost, doubled, cut short or refused for ${away} ms`,
      over: (async () => {
        await sleep(away);
        // The next one may have begun.
        if (line.fate !== fate) return;
        line.fate = () => 'pass';
        // What hangs would for long.
        if (line.stuck > 0) line.breakAll();
      })(),
    };
  },
};

function fateFrom(chance: Chance): Fate {
  return chance.pick<Fate>([
    'break',
    'lose the answer',
    'lose the answer',
    'twice',
    'twice',
    'hang',
    { status: 503 },
    { stallAfter: chance.between(0, 5000) },
  ]);
}

export const lineFaults = [cutHost, spoilLine];
