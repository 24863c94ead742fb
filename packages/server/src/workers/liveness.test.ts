import { expect, it } from 'vitest';
import { manualClock } from '../testing/manual-clock.ts';
import { Liveness } from './liveness.ts';

const worker = { userId: '0', workerId: 'w' };
const minute = 60_000;

function watched() {
  const clock = manualClock();
  const liveness = new Liveness(clock, 10_000);
  const pass = (milliseconds: number) => {
    for (let left = milliseconds; left > 0; left -= 5000) {
      clock.advance(Math.min(5000, left));
      liveness.tick();
    }
  };
  return { clock, liveness, pass };
}

it('counts from when a worker was heard, whatever the wall clock does meanwhile', () => {
  const { clock, liveness, pass } = watched();
  const stored = clock.now();
  liveness.heard(worker, stored);
  pass(20_000);
  for (const jump of [10 * minute, -20 * minute]) {
    clock.jump(jump);
    expect(liveness.unheardFor(worker, stored)).toBe(20_000);
    expect(liveness.silence(worker, stored, clock.now())).toBe(20_000);
  }
  pass(30_000);
  expect(liveness.silence(worker, stored, clock.now())).toBe(50_000);
});

it('counts a check-in with another server as one', () => {
  const { liveness, pass } = watched();
  liveness.unheardFor(worker, 1000);
  pass(30_000);
  expect(liveness.unheardFor(worker, 1000)).toBe(30_000);
  expect(liveness.unheardFor(worker, 900)).toBe(0);
});

it('gives workers of the time before this process their time to come', () => {
  const { clock, liveness, pass } = watched();
  const longAgo = clock.now() - 60 * minute;
  expect(liveness.unheardFor(worker, longAgo)).toBe(0);
  // Nothing is planned with it, though.
  expect(liveness.silence(worker, longAgo, clock.now())).toBe(60 * minute);
  pass(minute);
  expect(liveness.unheardFor(worker, longAgo)).toBe(minute);
});

it('does not count the time in which this process could hear nobody', () => {
  const { clock, liveness } = watched();
  liveness.heard(worker, 1);
  clock.advance(10 * minute);
  liveness.tick();
  expect(liveness.unheardFor(worker, 1)).toBe(10_000);
});
