import { expect, it } from 'vitest';
import { roomForWorkers } from './memory.ts';

it('lets the young generation grow where there are many workers, and no longer when they have gone', () => {
  const flags: string[] = [];
  const connected = roomForWorkers((flag) => flags.push(flag));
  connected(99);
  expect(flags).toEqual([]);
  connected(100);
  connected(101);
  expect(flags).toEqual(['--semi-space-growth-factor=2']);
  connected(99);
  expect(flags).toEqual(['--semi-space-growth-factor=2', '--semi-space-growth-factor=1']);
});
