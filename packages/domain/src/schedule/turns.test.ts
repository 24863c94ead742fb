import { describe, expect, it } from 'vitest';
import { success } from '../outcome.ts';
import { backlogOf } from './testing/plan.ts';
import type { StagedRun } from './plan-types.ts';
import { Turns, type Shares } from './turns.ts';

function run(ownerId: string, priority: number, uuid = `${ownerId}${priority}`, cpus = 1): StagedRun {
  return {
    uuid,
    ownerId,
    request: success({
      cpus,
      gpus: 0,
      memory: 1,
      disk: 0,
      time: 0,
      image: 'i:latest',
      imageRequested: false,
      network: true,
      sharedMemory: undefined,
      queue: '',
      priority,
    }),
    dependencies: [],
    avoid: new Set(),
    controllers: new Set(),
  };
}

/** The order in which runs are looked at when every one of them finds a place on somebody else's worker. */
function order(
  runs: readonly StagedRun[],
  shares: Shares = { load: new Map(), turns: new Map() },
  isClosed: (cpus: number) => boolean = () => false,
): string[] {
  const turns = new Turns(backlogOf(runs), shares, ({ request }) => isClosed(request.cpus));
  const names: string[] = [];
  for (let turn = turns.next(); turn !== undefined; turn = turns.next()) {
    names.push(turn.run.uuid);
    turns.placed(true);
  }
  return names;
}

describe('turns', () => {
  it('let everybody fill their own places by priority', () => {
    const runs = [run('A', 1, 'A1 first'), run('B', 2), run('A', 3), run('B', 1), run('A', 1, 'A1 second')];
    expect(order(runs)).toEqual(['A3', 'B2', 'A1 first', 'B1', 'A1 second']);
  });

  it('go to those who have least elsewhere', () => {
    const runs = [run('A', 0, 'A first'), run('A', 0, 'A second'), run('B', 0), run('C', 0)];
    expect(order(runs, { load: new Map([['B', 1]]), turns: new Map() })).toEqual([
      'A first',
      'C0',
      'B0',
      'A second',
    ]);
  });

  it('put negative priorities after unset ones and keep age among equals', () => {
    const runs = [run('A', -1), run('A', 0, 'old'), run('A', 0, 'new'), run('A', 5)];
    expect(order(runs)).toEqual(['A5', 'old', 'new', 'A-1']);
  });

  it('pass whole lines over, and count their runs as if they had been looked at', () => {
    const large = Array.from({ length: 5 }, (_, number) => run('A', 1, `large ${number}`, 64));
    const runs = [...large, run('B', 0), run('A', 0)];
    // Five of A's come before A's own small one: that stands behind B's in creation order.
    expect(order(runs, undefined, (cpus) => cpus === 64)).toEqual(['B0', 'A0']);
    expect(order(runs.slice(5).toReversed())).toEqual(['A0', 'B0']);
  });
});
