/** Server and workers are killed, restarted, and paused. */
import { setTimeout as sleep } from 'node:timers/promises';
import { anyWorker, second, type Fault } from './fault.ts';

const killServer: Fault = {
  name: 'kill the server',
  weight: 2,
  causes: ['dependency-unreachable'],
  strike({ server }, chance) {
    const away = chance.between(100, 4 * second);
    return {
      what: `server killed, away for ${away} ms`,
      over: (async () => {
        await server.end('SIGKILL');
        await sleep(away);
        server.start();
      })(),
    };
  },
};

const restartServer: Fault = {
  name: 'restart the server',
  weight: 1,
  causes: ['dependency-unreachable'],
  strike({ server }) {
    return {
      what: 'server restarted',
      over: (async () => {
        await server.end('SIGTERM');
        server.start();
      })(),
    };
  },
};

const pauseServer: Fault = {
  name: 'pause the server',
  weight: 1,
  causes: ['dependency-unreachable'],
  strike({ server }, chance) {
    const away = chance.between(500, 4 * second);
    server.pause();
    return {
      what: `server paused for ${away} ms`,
      over: (async () => {
        await sleep(away);
        server.resume();
      })(),
    };
  },
};

const killWorker: Fault = {
  name: 'kill a worker',
  weight: 3,
  causes: [],
  strike(site, chance) {
    const { program } = anyWorker(site, chance);
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
  causes: [],
  strike(site, chance) {
    const { program } = anyWorker(site, chance);
    return {
      what: `worker ${program.name} restarted`,
      over: (async () => {
        await program.end('SIGTERM');
        program.start();
      })(),
    };
  },
};

const pauseWorker: Fault = {
  name: 'pause a worker',
  weight: 2,
  causes: [],
  strike(site, chance) {
    const { program } = anyWorker(site, chance);
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

export const programFaults = [killServer, restartServer, pauseServer, killWorker, restartWorker, pauseWorker];
