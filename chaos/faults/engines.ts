/** Container engines die, are restarted, and stand still. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../engine.ts';
import type { Chance } from '../random.ts';
import type { Site } from '../site.ts';
import { anyWorker, second, type Fault } from './fault.ts';

function anyEngine(site: Site, chance: Chance): Engine {
  const { engine } = anyWorker(site, chance);
  if (engine === undefined) throw new Error('There are no container engines');
  return engine;
}

const killEngine: Fault = {
  name: 'kill a container engine',
  weight: 3,
  causes: ['container-lost', 'engine-failed', 'image-unreachable'],
  strike(site, chance) {
    const engine = anyEngine(site, chance);
    const away = chance.between(100, 6 * second);
    return {
      what: `engine of ${engine.name} killed, away for ${away} ms`,
      over: engine.inTurn(async (one) => {
        await one.kill();
        await sleep(away);
        await engine.start();
      }),
    };
  },
};

const restartEngine: Fault = {
  name: 'restart a container engine',
  weight: 1,
  causes: ['container-lost', 'engine-failed', 'image-unreachable'],
  strike(site, chance) {
    const engine = anyEngine(site, chance);
    return {
      what: `engine of ${engine.name} restarted`,
      over: engine.inTurn(async (one) => {
        await one.stop();
        await engine.start();
      }),
    };
  },
};

const pauseEngine: Fault = {
  name: 'pause a container engine',
  weight: 2,
  causes: ['engine-failed'],
  strike(site, chance) {
    const engine = anyEngine(site, chance);
    const away = chance.between(second, 10 * second);
    return {
      what: `engine of ${engine.name} paused for ${away} ms`,
      over: engine.inTurn(async (one) => {
        one.pause();
        await sleep(away);
        one.resume();
      }),
    };
  },
};

export const engineFaults = [killEngine, restartEngine, pauseEngine];
