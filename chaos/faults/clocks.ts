/** Clocks are wrong for a while. */
import { setTimeout as sleep } from 'node:timers/promises';
import { setClock } from '../shifted-clock.ts';
import { anyWorker, second, type Fault } from './fault.ts';

const moveWorkerClock: Fault = {
  name: 'move a worker’s clock',
  weight: 1,
  causes: [],
  strike(site, chance) {
    const { clock, program } = anyWorker(site, chance);
    const seconds = chance.pick([-86_400, -3600, -60, 60, 3600, 86_400]);
    return move(clock, program.name, seconds, chance.between(2 * second, 10 * second));
  },
};

const moveServerClock: Fault = {
  name: 'move the server’s clock',
  weight: 1,
  causes: [],
  strike(site, chance) {
    const seconds = chance.pick([-600, -30, 30, 600]);
    return move(site.serverClock, 'the server', seconds, chance.between(2 * second, 6 * second));
  },
};

function move(clock: string, name: string, seconds: number, away: number): ReturnType<Fault['strike']> {
  setClock(clock, seconds);
  return {
    what: `clock of ${name} wrong by ${seconds} s for ${away} ms`,
    over: (async () => {
      await sleep(away);
      setClock(clock, 0);
    })(),
  };
}

export const clockFaults = [moveWorkerClock, moveServerClock];
