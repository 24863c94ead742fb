import type { CheckinInput } from '@sheaf/wire';
import { expect, it } from 'vitest';
import { Acknowledgements } from './acknowledgements.ts';
import { CheckinLoop } from './checkin-loop.ts';

const run = { type: 'run', uuid: '0x1' };

/** The pauses between the check-ins, until the loop has made this many, and the words in the log. */
async function pauses(
  checkins: number,
  server: { readonly answer: (nth: number) => unknown[]; readonly handled: boolean; readonly holds?: number },
): Promise<{ pauses: number[]; warnings: string[]; holds: unknown[] }> {
  const ended = new AbortController();
  const slept: number[] = [];
  const warnings: string[] = [];
  const holds: unknown[] = [];
  let now = 0;
  const nothing = () => undefined;
  const loop = new CheckinLoop({
    checkin: ({ hold }) => {
      if (holds.length === checkins) {
        ended.abort();
        return Promise.resolve([]);
      }
      holds.push(hold);
      now += server.holds ?? 0;
      return Promise.resolve().then(() => server.answer(holds.length));
    },
    describe: () => Promise.resolve({} as CheckinInput),
    handle: () => Promise.resolve(server.handled),
    acknowledgements: new Acknowledgements(),
    succeeded: nothing,
    failed: nothing,
    clock: {
      now: () => now,
      elapsed: () => now,
      sleep: (milliseconds) => {
        if (!ended.signal.aborted) slept.push(milliseconds);
        now += milliseconds;
        return Promise.resolve();
      },
    },
    random: () => 0.5,
    log: { debug: nothing, info: nothing, error: nothing, warn: (_, text) => void warnings.push(text) },
  });
  await loop.run(ended.signal);
  return { pauses: slept, warnings, holds };
}

it('is at once the next one after something was done, and after a request that was held', async () => {
  expect((await pauses(4, { answer: () => [run], handled: true })).pauses).toEqual([]);
  expect((await pauses(4, { answer: () => [], handled: true, holds: 600 })).pauses).toEqual([]);
});

it('leaves the server alone for a while where it says the same again, or does not hold', async () => {
  expect((await pauses(3, { answer: () => [run], handled: false })).pauses).toEqual([1000, 1000]);
  expect((await pauses(3, { answer: () => [], handled: true })).pauses).toEqual([1000, 1000]);
});

it('is not held where it is the first, also the first after a failure; of many failures one is a warning', async () => {
  const {
    holds,
    warnings,
    pauses: slept,
  } = await pauses(6, {
    answer: (nth) => {
      if (nth > 1 && nth < 5) throw new Error('away');
      return [run];
    },
    handled: true,
  });

  expect(holds).toEqual([0, 30, 0, 0, 0, 30]);
  expect(warnings).toEqual(['check-in failed; runs go on, and it is tried again']);
  expect(slept).toHaveLength(3);
  expect(slept[2]).toBeGreaterThan(slept[0] ?? Number.NaN);
});
