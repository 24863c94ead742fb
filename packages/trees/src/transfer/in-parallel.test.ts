import { describe, expect, it } from 'vitest';
import { inParallel } from './in-parallel.ts';

const forever = (signal: AbortSignal): Promise<void> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true });
  });

describe('inParallel', () => {
  it('works on as many at once as it may, and on all of them', async () => {
    let running = 0;
    let most = 0;
    const done: number[] = [];
    await inParallel([1, 2, 3, 4, 5, 6, 7], { atOnce: 3, signal: undefined }, async (item) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise(setImmediate);
      running -= 1;
      done.push(item);
    });
    expect(most).toBe(3);
    expect(done.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('stops the others at the first failure, and throws it once they have ended', async () => {
    let ended = 0;
    const work = inParallel([1, 2, 3, 4, 5], { atOnce: 3, signal: undefined }, async (item, signal) => {
      if (item === 3) throw new Error('the first');
      await forever(signal).finally(() => {
        ended += 1;
      });
    });
    await expect(work).rejects.toThrow('the first');
    expect(ended).toBe(2);
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    const work = inParallel(
      [1, 2],
      { atOnce: 2, signal: stop.signal },
      async (_item, signal) => await forever(signal),
    );
    stop.abort(new Error('enough'));
    await expect(work).rejects.toThrow('enough');
    const never = inParallel([1], { atOnce: 1, signal: stop.signal }, async () => {
      throw new Error('worked');
    });
    await expect(never).rejects.toThrow('enough');
  });

  it('throws what its items throw, after what is running', async () => {
    let ended = false;
    const items = function* (): Generator<number> {
      yield 1;
      throw new Error('no more items');
    };
    const work = inParallel(items(), { atOnce: 2, signal: undefined }, async () => {
      await new Promise(setImmediate);
      ended = true;
    });
    await expect(work).rejects.toThrow('no more items');
    expect(ended).toBe(true);
  });
});
