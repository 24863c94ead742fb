import { describe, expect, it } from 'vitest';
import { misfit } from './fits.ts';
import type { Serving, WaitingRun, WorkerShape } from './waiting-run.ts';

const shape: WorkerShape = {
  cpus: 4,
  gpus: 1,
  memory: 100,
  disk: 50,
  tag: 'big',
  tagExclusive: false,
  images: true,
  runs: 1,
};
const run: WaitingRun = {
  uuid: 'a',
  ownerId: 'me',
  controlled: false,
  asks: { cpus: 4, gpus: 1, memory: 100, disk: 50 },
  queue: '',
  image: false,
  reason: '',
};
const mine: Serving = { userId: 'me', everybody: false, members: new Set() };
const quota = 'You have 3 runs on shared workers, as many as your quota allows at once: …';

describe('a new worker helps a run', () => {
  it('that asks for no more than it has', () => {
    expect(misfit(run, shape, mine)).toBeUndefined();
    for (const more of [{ cpus: 5 }, { gpus: 2 }, { memory: 101 }, { disk: 51 }]) {
      expect(misfit({ ...run, asks: { ...run.asks, ...more } }, shape, mine)).toBe('size');
    }
  });

  it.each([
    ['', false, undefined],
    ['', true, 'queue'],
    ['big', true, undefined],
    ['tag=big', false, undefined],
    ['tag=', false, 'queue'],
    ['small', false, 'queue'],
  ])('whose queue is its tag: %j, exclusive %j: %j', (queue, tagExclusive, expected) => {
    expect(misfit({ ...run, queue }, { ...shape, tagExclusive }, mine)).toBe(expected);
  });

  it('of a user whose runs its workers may execute', () => {
    const theirs = { ...run, ownerId: 'you' };
    const group = { ...mine, members: new Set(['you']) };

    expect(misfit(theirs, shape, mine)).toBe('owner');
    expect(misfit(theirs, shape, group)).toBe('owner');
    expect(misfit({ ...theirs, controlled: true }, shape, group)).toBeUndefined();
    expect(misfit(theirs, shape, { ...mine, everybody: true })).toBeUndefined();
  });

  it('that does not wait for a quota which only workers of its owner get around', () => {
    expect(misfit({ ...run, ownerId: 'you', reason: quota }, shape, { ...mine, everybody: true })).toBe(
      'quota',
    );
    expect(misfit({ ...run, reason: quota }, shape, mine)).toBeUndefined();
  });

  it('with an image only where workers have turned out to execute images', () => {
    expect(misfit({ ...run, image: true }, { ...shape, images: false }, mine)).toBe('images');
    expect(misfit({ ...run, image: true }, shape, mine)).toBeUndefined();
  });
});
