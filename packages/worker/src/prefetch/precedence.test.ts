import { expect, it } from 'vitest';
import { Precedence } from './precedence.ts';

const never = new AbortController().signal;

/** Work that ends when it is told to, and counts how often it was begun. */
function work() {
  const state = { begun: 0, end: () => undefined as void };
  const run = (signal: AbortSignal) => {
    state.begun += 1;
    return new Promise<string>((resolve, reject) => {
      state.end = () => resolve('done');
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  };
  return { state, run };
}

const soon = () => new Promise(setImmediate);

it('begins at once where nobody waits', async () => {
  const { state, run } = work();
  const done = new Precedence().behind(never, run);
  await soon();
  state.end();

  expect(await done).toBe('done');
  expect(state.begun).toBe(1);
});

it('waits until the last who goes before has left, each of whom may say so twice', async () => {
  const precedence = new Precedence();
  const [first, second] = [precedence.enter(), precedence.enter()];
  const { state, run } = work();
  const done = precedence.behind(never, run);

  first();
  first();
  await soon();
  expect(state.begun).toBe(0);
  second();
  await soon();
  state.end();

  expect(await done).toBe('done');
});

it('pauses what has begun, and begins it again', async () => {
  const precedence = new Precedence();
  const { state, run } = work();
  const done = precedence.behind(never, run);
  await soon();

  const leave = precedence.enter();
  await soon();
  expect(state.begun).toBe(1);
  leave();
  await soon();
  expect(state.begun).toBe(2);
  state.end();

  expect(await done).toBe('done');
});

it('lets failures through, and ends with its signal, also while it waits', async () => {
  const precedence = new Precedence();
  await expect(precedence.behind(never, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');

  const stop = new AbortController();
  precedence.enter();
  const waiting = precedence.behind(stop.signal, () => Promise.resolve());
  stop.abort(new Error('enough'));

  await expect(waiting).rejects.toThrow('enough');
});
