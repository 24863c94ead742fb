import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { startProcess } from '../processes.ts';
import { inTurn } from './turns.ts';

const name = `turns-${process.pid}`;
const file = join(tmpdir(), `sheaf-test-${name}.lock`);
afterAll(() => rm(file, { force: true }));

test('works come one after the other, also after one that failed', async () => {
  const steps: string[] = [];
  const work = (fails: boolean) =>
    inTurn(name, async () => {
      steps.push('in');
      for (let turn = 0; turn < 20; turn += 1) await nextTurn();
      steps.push('out');
      if (fails) throw new Error('as told');
    });
  const ends = await Promise.allSettled([work(true), work(true), work(false)]);
  expect(ends.filter(({ status }) => status === 'rejected')).toHaveLength(2);
  expect(steps).toEqual(['in', 'out', 'in', 'out', 'in', 'out']);
});

test('waits for another process, and for no longer than it lives', async () => {
  const other = startProcess('flock', [file, 'sh', '-c', 'echo held; exec sleep 60']);
  await other.waitForOutput(/held/);
  let entered = false;
  const mine = inTurn(name, async () => {
    entered = true;
  });
  for (let turn = 0; turn < 100; turn += 1) await nextTurn();
  expect(entered).toBe(false);
  await other.stop('SIGKILL');
  await mine;
  expect(entered).toBe(true);
});
