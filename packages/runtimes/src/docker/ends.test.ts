import { describe, expect, it } from 'vitest';
import type { ContainerEvent } from '../engine/schema.ts';
import { ContainerEnds } from './ends.ts';

const never = new AbortController().signal;
const container = 'c1';

function event(action: ContainerEvent['Action'], moment: number, exitCode?: number): ContainerEvent {
  return { Action: action, Actor: { ID: container, Attributes: { exitCode } }, timeNano: moment * 1e6 };
}

function heard(...events: ContainerEvent[]): ContainerEnds {
  const ends = new ContainerEnds();
  for (const one of events) {
    ends.hear(one);
  }
  return ends;
}

describe('ends of containers, from events', () => {
  it('are told to all who wait, and to who comes later', async () => {
    const ends = heard(event('start', 1000));
    const waiting = [ends.told(container, never), ends.told(container, never)];

    ends.hear(event('die', 2000, 0));

    const exit = { exitCode: 0, outOfMemory: false, message: null, startedAt: 1000, finishedAt: 2000 };
    expect(await Promise.all(waiting)).toEqual([exit, exit]);
    expect(await ends.told(container, never)).toEqual(exit);
    expect(ends.exitOf(container)).toEqual(exit);
  });

  it('are told to who waited before the start was heard', async () => {
    const ends = heard();
    const waiting = ends.told(container, never);

    ends.hear(event('start', 1000));
    ends.hear(event('die', 1001, 143));

    expect(await waiting).toMatchObject({ exitCode: 143 });
  });

  it.each([
    ['whose start was not heard', [event('die', 2000, 0)]],
    ['without a code', [event('start', 1000), event('die', 2000)]],
    ['that the log may have words for', [event('start', 1000), event('die', 2000, 1)]],
    ['by a signal that may have been for memory', [event('start', 1000), event('die', 2000, 137)]],
    ['of what runs', [event('start', 1000), event('oom', 1500)]],
    ['of what ran before it was started again', [event('die', 2000, 0), event('start', 3000)]],
  ])('are left to the engine: %s', (_, events) => {
    expect(heard(...events).exitOf(container)).toBeUndefined();
  });

  it.each([
    [[event('oom', 1999), event('die', 2000, 137)], 137],
    [[event('die', 2000, 137), event('oom', 2001)], 137],
    [[event('oom', 1500), event('die', 2000, 0)], 0],
  ])('name memory as the cause, in whatever order they come', async (events, exitCode) => {
    const ends = heard(event('start', 1000));
    const waiting = ends.told(container, never);

    for (const one of events) {
      ends.hear(one);
    }

    expect(await waiting).toMatchObject({ exitCode, outOfMemory: true, finishedAt: 2000 });
  });

  it('say where the engine was asked to end a container, and not where a command ended by itself', () => {
    const words = expect.stringContaining('ended from outside the run (exit code 137)') as string;
    const stopped = heard(event('start', 1000), event('kill', 1500), event('die', 2000, 137));
    expect(stopped.exitOf(container)).toMatchObject({ exitCode: 137, message: words });
    const unmoved = heard(event('start', 1000), event('kill', 1500), event('die', 2000, 0));
    expect(unmoved.exitOf(container)).toMatchObject({ exitCode: 0, message: null });
  });

  it('that were known stay so when events are missed, and nothing else does', () => {
    const ended = heard(event('start', 1000), event('die', 2000, 0));
    const running = heard(event('start', 1000));

    ended.interrupted();
    running.interrupted();
    running.hear(event('die', 2000, 0));

    expect(ended.exitOf(container)).toMatchObject({ exitCode: 0 });
    expect(running.follows(container)).toBe(false);
    expect(running.exitOf(container)).toBeUndefined();
  });

  it('are forgotten with the container', () => {
    const removed = heard(event('start', 1000), event('die', 2000, 0), event('destroy', 3000));

    expect(removed.exitOf(container)).toBeUndefined();
  });
});
