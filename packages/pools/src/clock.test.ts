import { expect, it } from 'vitest';
import { systemClock } from './clock.ts';

it('a pause of years does not end at once, but when it is told to', async () => {
  const end = new AbortController();
  let isOver = false;
  const pause = systemClock.sleep(999_999_999_000, end.signal).then(() => (isOver = true));

  await systemClock.sleep(20, end.signal);
  expect(isOver).toBe(false);

  end.abort();
  await pause;
});
