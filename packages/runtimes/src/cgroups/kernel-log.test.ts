import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tellsOfKill, wasKilledForMemory } from './kernel-log.ts';

// Of Linux 6.1.
const records = [
  '6,2113,91263411,-;tail invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0',
  '6,2150,91263493,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=c0ffee,mems_allowed=0,oom_memcg=/machine.slice/libpod-c0ffee.scope,task_memcg=/machine.slice/libpod-c0ffee.scope/container,task=tail,pid=4711,uid=0',
  '3,2151,91263500,-;Memory cgroup out of memory: Killed process 4711 (tail)',
];

it('the kernel tells in which group it killed', () => {
  expect(tellsOfKill(records, 'c0ffee')).toBe(true);
  expect(tellsOfKill(records, 'decaf')).toBe(false);
  expect(tellsOfKill(records, 'c0')).toBe(false);
  expect(tellsOfKill(records, 'ffee')).toBe(false);
  expect(tellsOfKill([records[0] ?? '', records[2] ?? ''], 'c0ffee')).toBe(false);
});

it('a log that is not there tells nothing', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sheaf-kmsg-'));
  const log = join(directory, 'log');

  expect(wasKilledForMemory('c0ffee', log)).toBe(false);
  writeFileSync(log, records[1] ?? '');
  expect(wasKilledForMemory('c0ffee', log)).toBe(true);
  rmSync(directory, { recursive: true });
});
