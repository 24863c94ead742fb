import { describe, expect, it } from 'vitest';
import { Gathering, type GatheringOptions } from './gathering.ts';

/** A gathering of numbers that are doubled; odd behaviour by number. */
function gathering(options: Partial<GatheringOptions<number, number>> = {}) {
  const batches: number[][] = [];
  const alone: number[] = [];
  const failures: unknown[] = [];
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const made = new Gathering<number, number>({
    keys: (number) => [String(number % 10)],
    together: async (numbers) => {
      batches.push([...numbers]);
      await opened;
      return numbers.map((number) => number * 2);
    },
    alone: async (number) => {
      alone.push(number);
      return number * 2;
    },
    failed: (error) => failures.push(error),
    ...options,
  });
  return { made, batches, alone, failures, open };
}

const breath = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe('what comes while other work is being done', () => {
  it('is done together after it, each with its own result', async () => {
    const { made, batches, open } = gathering();
    const first = made.add(1);
    await breath();
    const others = [made.add(2), made.add(3), made.add(4)];
    expect(batches).toEqual([[1]]);

    open();

    expect(await first).toBe(2);
    expect(await Promise.all(others)).toEqual([4, 6, 8]);
    expect(batches).toEqual([[1], [2, 3, 4]]);
  });

  it('waits where it concerns the same, in its order', async () => {
    const { made, batches, open } = gathering();
    open();

    await Promise.all([made.add(1), made.add(2), made.add(11), made.add(21), made.add(3)]);

    expect(batches).toEqual([[1, 2, 3], [11], [21]]);
  });

  it('comes in no more than what the database is to be kept busy with', async () => {
    const { made, batches, open } = gathering({ keys: () => [] });
    open();

    await Promise.all(Array.from({ length: 450 }, (_, number) => made.add(number)));

    expect(batches.map((batch) => batch.length)).toEqual([200, 200, 50]);
  });

  it('is done beside it where that is allowed, but for what concerns the same', async () => {
    const ends: (() => void)[] = [];
    const batches: number[][] = [];
    const { made } = gathering({
      atOnce: 2,
      together: async (numbers) => {
        batches.push([...numbers]);
        await new Promise<void>((resolve) => ends.push(resolve));
        return numbers.map((number) => number * 2);
      },
    });
    const results = [made.add(1)];
    await breath();
    results.push(made.add(11), made.add(2));
    await breath();
    results.push(made.add(3), made.add(21));
    await breath();
    expect(batches).toEqual([[1], [2]]);

    ends[1]?.();
    await results[2];
    await breath();
    expect(batches).toEqual([[1], [2], [3]]);
    ends[0]?.();
    await results[0];
    await breath();
    expect(batches).toEqual([[1], [2], [3], [11]]);
    ends[2]?.();
    ends[3]?.();
    await results[1];
    await breath();
    ends[4]?.();
    expect(await Promise.all(results)).toEqual([2, 22, 4, 6, 42]);
    expect(batches.at(-1)).toEqual([21]);
  });

  it('is done one by one when it cannot be done together, and fails one by one', async () => {
    const broken = new Error('together');
    const own = new Error('its own');
    const { made, failures } = gathering({
      together: async () => {
        throw broken;
      },
      alone: async (number) => {
        if (number === 2) throw own;
        return number * 2;
      },
    });

    const results = await Promise.allSettled([made.add(1), made.add(2), made.add(3)]);

    expect(results).toEqual([
      { status: 'fulfilled', value: 2 },
      { status: 'rejected', reason: own },
      { status: 'fulfilled', value: 6 },
    ]);
    expect(failures).toEqual([broken]);
  });

  it('is done alone where it is left over, and goes on afterwards', async () => {
    const { made, alone } = gathering({
      together: async (numbers) => numbers.map((number) => (number === 2 ? undefined : number * 2)),
    });

    expect(await Promise.all([made.add(1), made.add(2), made.add(3)])).toEqual([2, 4, 6]);
    expect(alone).toEqual([2]);
    expect(await made.add(5)).toBe(10);
  });
});
