import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ResourcePool } from './pool.ts';

const never = new AbortController().signal;
const none = { cpus: 0, gpus: 0 };

describe('ResourcePool', () => {
  it('hands out different processors and GPUs', () => {
    const pool = new ResourcePool({ cpus: [0, 1, 2], gpus: ['a', 'b'], slots: null });

    expect(pool.tryAcquire('x', { cpus: 2, gpus: 1 })).toEqual({ cpus: [0, 1], gpus: ['a'] });
    expect(pool.tryAcquire('y', { cpus: 1, gpus: 1 })).toEqual({ cpus: [2], gpus: ['b'] });
    expect(pool.tryAcquire('z', { cpus: 1, gpus: 0 })).toBeUndefined();
  });

  it('answers a run that holds something with the same', () => {
    const pool = new ResourcePool({ cpus: [0, 1], gpus: [], slots: null });
    pool.tryAcquire('x', { cpus: 1, gpus: 0 });

    expect(pool.tryAcquire('x', { cpus: 1, gpus: 0 })).toEqual({ cpus: [0], gpus: [] });
  });

  it('serves in order: nobody overtakes a large request', async () => {
    const pool = new ResourcePool({ cpus: [0, 1], gpus: [], slots: null });
    pool.tryAcquire('x', { cpus: 1, gpus: 0 });
    const large = pool.acquire('large', { cpus: 2, gpus: 0 }, never);

    expect(pool.tryAcquire('small', { cpus: 1, gpus: 0 })).toBeUndefined();
    pool.release('x');

    expect(await large).toEqual({ cpus: [0, 1], gpus: [] });
  });

  it('lets the next in line go on when one gives up', async () => {
    const pool = new ResourcePool({ cpus: [0, 1], gpus: [], slots: null });
    pool.tryAcquire('x', { cpus: 1, gpus: 0 });
    const impatient = new AbortController();
    const large = pool.acquire('large', { cpus: 2, gpus: 0 }, impatient.signal);
    const small = pool.acquire('small', { cpus: 1, gpus: 0 }, never);

    impatient.abort(new Error('enough'));

    await expect(large).rejects.toThrow('enough');
    expect(await small).toEqual({ cpus: [1], gpus: [] });
  });

  it('keeps a slot until the run leaves, not only until its processors are free', () => {
    const pool = new ResourcePool({ cpus: [0], gpus: [], slots: 1 });
    pool.tryAcquire('x', none);

    pool.release('x');
    expect(pool.tryAcquire('y', none)).toBeUndefined();

    pool.leave('x');
    expect(pool.tryAcquire('y', none)).toBeDefined();
  });

  it('gives a run back exactly what it had before the worker was started anew', () => {
    const pool = new ResourcePool({ cpus: [0, 1], gpus: [], slots: null });
    pool.restore('x', { cpus: [0], gpus: [] });

    expect(pool.tryAcquire('y', { cpus: 1, gpus: 0 })).toEqual({ cpus: [1], gpus: [] });
  });

  it('never hands out anything twice, whatever comes and goes', () => {
    const action = fc.record({
      run: fc.integer({ min: 0, max: 5 }),
      cpus: fc.integer({ min: 0, max: 3 }),
      leaves: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const pool = new ResourcePool({ cpus: [0, 1, 2, 3], gpus: [], slots: null });
        const held = new Map<string, readonly number[]>();
        for (const { run, cpus, leaves } of actions) {
          const uuid = String(run);
          if (leaves) {
            pool.leave(uuid);
            held.delete(uuid);
            continue;
          }
          const allocation = pool.tryAcquire(uuid, { cpus, gpus: 0 });
          if (allocation !== undefined) held.set(uuid, allocation.cpus);
        }
        const all = [...held.values()].flat();
        expect(new Set(all).size).toBe(all.length);
      }),
    );
  });
});
