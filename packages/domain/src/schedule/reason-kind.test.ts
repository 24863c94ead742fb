import { expect, it } from 'vitest';
import { hasFailedEverywhere, waitsForQuota } from './reason-kind.ts';
import type { PlanWorker, StagedRun } from './plan-types.ts';
import { plan } from './testing/plan.ts';
import { defaultRequestSettings, resolveRequest } from './request.ts';

const worker: PlanWorker = {
  key: 'w',
  ownerId: 'root',
  members: new Set(),
  tag: null,
  tagExclusive: false,
  cpus: 4,
  gpus: 0,
  memory: 2 ** 40,
  freeDisk: 2 ** 40,
  cpusInUse: 0,
  gpusInUse: 0,
  memoryInUse: 0,
  assignedRuns: 0,
  slots: null,
  runsLeft: 9,
  terminating: false,
  images: true,
  sharedFileSystem: false,
  cachedDependencies: new Set(),
  cachesContents: true,
  takesHints: false,
};

function reasonOf(avoid: readonly string[], quota: { left: number; elsewhere: number }): string {
  const run: StagedRun = {
    uuid: 'a',
    ownerId: 'alice',
    request: resolveRequest({}, defaultRequestSettings, { time: 0, disk: 0 }),
    dependencies: [],
    avoid: new Set(avoid),
    controllers: new Set(),
  };
  const result = plan({
    runs: [run],
    workers: [worker],
    parallelRunsLeft: new Map([['alice', quota.left]]),
    runsElsewhere: new Map([['alice', quota.elsewhere]]),
    turnsTaken: new Map(),
    rootUserId: 'root',
    tieBreak: () => 0,
  });
  return result.reasons.get('a') ?? '';
}

it('tells from the sentence what is waited for', () => {
  for (const elsewhere of [0, 1, 3]) expect(waitsForQuota(reasonOf([], { left: 0, elsewhere }))).toBe(true);
  const failed = reasonOf(['w'], { left: 9, elsewhere: 0 });

  expect(hasFailedEverywhere(failed)).toBe(true);
  expect(waitsForQuota(failed)).toBe(false);
  expect(hasFailedEverywhere(reasonOf([], { left: 0, elsewhere: 0 }))).toBe(false);
});
