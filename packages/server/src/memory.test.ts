import { setFlagsFromString } from 'node:v8';
import { beforeEach, expect, it, vi } from 'vitest';
import { makeRoomForWorkers } from './memory.ts';

vi.mock('node:v8', () => ({ setFlagsFromString: vi.fn() }));

const flags = vi.mocked(setFlagsFromString);

beforeEach(() => {
  makeRoomForWorkers(0);
  flags.mockClear();
});

it('lets the young generation grow where there are many workers, and no longer when they have gone', () => {
  makeRoomForWorkers(99);
  expect(flags).not.toHaveBeenCalled();
  makeRoomForWorkers(100);
  makeRoomForWorkers(101);
  expect(flags.mock.calls).toEqual([['--semi-space-growth-factor=2']]);
  makeRoomForWorkers(99);
  expect(flags).toHaveBeenLastCalledWith('--semi-space-growth-factor=1');
});
