import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Throttle } from './throttle.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('calls back at once, then once for all that came during the pause', () => {
  let calls = 0;
  const throttle = new Throttle(1000, () => {
    calls += 1;
  });
  for (let times = 0; times < 10; times += 1) throttle.request();
  expect(calls).toBe(1);

  vi.advanceTimersByTime(1000);
  expect(calls).toBe(2);

  vi.advanceTimersByTime(5000);
  expect(calls).toBe(2);
  throttle.request();
  expect(calls).toBe(3);
});
