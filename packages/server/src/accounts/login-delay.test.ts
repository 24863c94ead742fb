import { expect, it } from 'vitest';
import { manualClock } from '../testing/manual-clock.ts';
import { createLoginDelay, delayAfter } from './login-delay.ts';

it('grows with every failure, up to eight seconds', () => {
  expect([1, 4, 5, 6, 7, 8, 9, 50].map(delayAfter)).toEqual([0, 0, 500, 1000, 2000, 4000, 8000, 8000]);
});

it('counts names and addresses apart, and forgets after success or time', async () => {
  const clock = manualClock();
  const delay = createLoginDelay(clock);
  const fail = async (name: string, address: string) => {
    let isOver = false;
    void delay.afterFailure(name, address).then(() => (isOver = true));
    await Promise.resolve();
    await Promise.resolve();
    return isOver;
  };
  for (let count = 0; count < 4; count += 1) expect(await fail('a', '1')).toBe(true);

  expect(await fail('A', '1')).toBe(false);
  expect(await fail('a', '2')).toBe(true);
  expect(await fail('b', '1')).toBe(true);
  delay.afterSuccess('a', '1');
  expect(await fail('a', '1')).toBe(true);
  for (let count = 0; count < 4; count += 1) await fail('a', '1');
  expect(await fail('a', '1')).toBe(false);
  clock.advance(20 * 60_000);
  expect(await fail('a', '1')).toBe(true);
});
