import { describe, expect, it } from 'vitest';
import { silent } from '../testing/worker-bench.ts';
import { DiskRoom, reserveOf } from './disk-room.ts';

const megabyte = 1024 * 1024;

function roomWith(free: () => number | undefined) {
  const told: boolean[] = [];
  let cleared = 0;
  let looks = 0;
  const stop = new AbortController();
  const room: DiskRoom = new DiskRoom({
    space: async () => {
      const bytes = free();
      return bytes === undefined ? undefined : { free: bytes, total: 1000 * megabyte };
    },
    makeRoom: async () => {
      cleared += 1;
    },
    changed: () => told.push(room.isFull),
    clock: {
      now: () => 0,
      elapsed: () => 0,
      sleep: async () => {
        looks += 1;
        if (looks === 3) stop.abort();
      },
    },
    log: silent,
  });
  return { room, told, stop, cleared: () => cleared };
}

describe('the room on the disk', () => {
  it('is what is free, and nothing once that is less than the reserve', async () => {
    let free = 60 * megabyte;
    const { room, told } = roomWith(() => free);

    expect(await room.free()).toBe(60 * megabyte);
    free = 49 * megabyte;
    expect(await room.free()).toBe(0);
    expect(room.isFull).toBe(true);
    expect(told).toEqual([true]);
  });

  it('has to be twice the reserve to count again', async () => {
    let free = 1;
    const { room, told } = roomWith(() => free);
    await room.free();

    free = 99 * megabyte;
    expect(await room.free()).toBe(0);
    free = 101 * megabyte;
    expect(await room.free()).toBe(101 * megabyte);
    expect(told).toEqual([true, false]);
  });

  it('is not known where the system does not tell; then the worker goes on', async () => {
    const { room } = roomWith(() => undefined);

    expect(await room.free()).toBeNull();
    expect(room.isFull).toBe(false);
  });

  it('is made while there is none', async () => {
    const { room, stop, cleared } = roomWith(() => 0);

    await room.watch(stop.signal);

    expect(cleared()).toBe(3);
  });

  it('keeps a twentieth free, and never more than a quarter of a gigabyte', () => {
    expect(reserveOf(100 * megabyte)).toBe(5 * megabyte);
    expect(reserveOf(10_000_000 * megabyte)).toBe(256 * megabyte);
  });
});
