/* How long check-ins are held (execution.md §4.5), on a clock that the test moves. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import WebSocket from 'ws';
import { until } from '../runs/testing/bundles.ts';
import { originalWorker, type OriginalWorker } from '../runs/testing/original-worker.ts';
import { reportOf, scriptedWorker } from '../runs/testing/scripted-worker.ts';
import { manualClock, type ManualClock } from '../testing/manual-clock.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let clock: ManualClock;
let server: TestServer;
let worker: OriginalWorker;
beforeEach(async () => {
  clock = manualClock();
  server = await startTestServer({ database: 'sqlite', clock });
  worker = await originalWorker(server);
});
afterEach(async () => {
  await server.close();
});

const unknown = `0x${'ab'.repeat(16)}`;

/** Moves the clock until the answer comes. Answers the seconds that took. */
async function secondsHeld(checkin: Promise<unknown>, workerId: string): Promise<number> {
  let answered = false;
  const settled = checkin.then(() => (answered = true));
  for (let seconds = 0; ; seconds += 1) {
    await until(async () => {
      // Another request: by its answer, whatever was due has happened.
      await server.fetch('/health');
      const held = server.execution.checkins.held.isWaiting({ userId: '0', workerId });
      return answered || held ? true : undefined;
    }, 'a check-in that is held or answered');
    if (answered) {
      await settled;
      return seconds;
    }
    clock.advance(1000);
    // What is answered now lets go at once; what is still held stays so.
    await until(async () => {
      await server.fetch('/health');
      const held = server.execution.checkins.held.isWaiting({ userId: '0', workerId });
      return answered || held ? true : undefined;
    }, 'the check-in to go on or to end');
  }
}

it('holds an idle original worker for five seconds', async () => {
  expect(await secondsHeld(worker.checkin(), worker.id)).toBe(5);
});

it('holds one that has runs for a second: it cannot advance them meanwhile', async () => {
  const runs = [reportOf(unknown, 'ready')];
  expect(await secondsHeld(worker.checkin({ runs }), worker.id)).toBe(1);
});

it('does not hold one that can be woken', async () => {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ws/worker/${worker.id}`);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  expect(await worker.checkin()).toEqual([null]);
  socket.terminate();
});

it('holds one of ours for thirty seconds, and no longer than it asks for', async () => {
  const ours = scriptedWorker(server);
  expect(await secondsHeld(ours.checkin({ hold: null }), ours.id)).toBe(30);
  expect(await secondsHeld(ours.checkin({ hold: 3 }), ours.id)).toBe(3);
});
