import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PoolJob } from '../pool.ts';
import { decide, type Situation } from './decide.ts';
import type { Amounts, PoolWorker, WaitingRun, WorkerShape } from './waiting-run.ts';

const gibibyte = 1024 ** 3;
const now = 1_000_000_000;

const amounts = (cpus: number, gibibytes = cpus): Amounts => ({
  cpus,
  gpus: 0,
  memory: gibibytes * gibibyte,
  disk: 0,
});
const shape: WorkerShape = {
  ...amounts(4),
  disk: Infinity,
  tag: null,
  tagExclusive: false,
  images: true,
  runs: Infinity,
};
const run = (uuid: string, asks = amounts(1), reason = 'No worker.'): WaitingRun => ({
  uuid,
  ownerId: '1',
  controlled: true,
  asks,
  queue: '',
  image: false,
  reason,
});
const job = (id: string, phase: 'waiting' | 'running', runningSince = now): PoolJob => ({
  id,
  workerId: `w${id}`,
  phase,
  submittedAt: now,
  runningSince: phase === 'running' ? runningSince : undefined,
  note: '',
  failed: false,
});
const worker = (id: string, more: Partial<PoolWorker> = {}): [string, PoolWorker] => [
  `w${id}`,
  { workerId: `w${id}`, has: { ...amounts(4), disk: Infinity }, images: true, busy: false, runs: 9, ...more },
];
const situation = (more: Partial<Situation>): Situation => ({
  runs: [],
  jobs: [],
  workers: new Map(),
  shape,
  minimum: 0,
  maximum: 10,
  now,
  nextStart: 0,
  failurePause: 0,
  unneededSince: new Map(),
  idle: 600_000,
  ...more,
});
const starts = (more: Partial<Situation>) => decide(situation(more)).start;

describe('a worker is started', () => {
  it('for a run that nobody has room for', () => {
    expect(starts({ runs: [run('a')] })).toBe(true);
    expect(starts({ runs: [] })).toBe(false);
  });

  it('not for runs that one on its way will take, however many they are', () => {
    const runs = ['a', 'b', 'c', 'd'].map((uuid) => run(uuid));

    expect(starts({ runs, jobs: [job('1', 'waiting')] })).toBe(false);
    expect(starts({ runs, jobs: [job('1', 'running')] })).toBe(false);
    expect(starts({ runs: [...runs, run('e')], jobs: [job('1', 'waiting')] })).toBe(true);
  });

  it('beside workers that are busy, and not beside one that is idle', () => {
    const jobs = [job('1', 'running')];

    expect(starts({ runs: [run('a')], jobs, workers: new Map([worker('1', { busy: true })]) })).toBe(true);
    expect(starts({ runs: [run('a')], jobs, workers: new Map([worker('1')]) })).toBe(false);
  });

  it('beside an idle one that is about to end, or on which the run has failed', () => {
    const jobs = [job('1', 'running')];
    const failed = run('a', amounts(1), 'Every worker that could take the run has failed to execute it; …');

    expect(starts({ runs: [run('a')], jobs, workers: new Map([worker('1', { runs: 0 })]) })).toBe(true);
    expect(starts({ runs: [failed], jobs, workers: new Map([worker('1')]) })).toBe(true);
  });

  it('when one that runs has not signed in for long', () => {
    const jobs = [job('1', 'running', now - 3_600_000)];

    expect(starts({ runs: [run('a')], jobs })).toBe(true);
  });

  it('never above the maximum, and up to the minimum without any run', () => {
    expect(starts({ runs: [run('a')], maximum: 1, jobs: [job('1', 'running', 0)] })).toBe(false);
    expect(starts({ minimum: 1 })).toBe(true);
    expect(starts({ minimum: 1, jobs: [job('1', 'waiting')] })).toBe(false);
  });

  it('after the pause behind the one before, which the minimum does not wait for', () => {
    const nextStart = now + 1;

    expect(starts({ runs: [run('a')], nextStart })).toBe(false);
    expect(starts({ minimum: 1, nextStart })).toBe(true);
  });

  it('not while those before have failed', () => {
    expect(starts({ runs: [run('a')], minimum: 1, failurePause: now + 1 })).toBe(false);
  });
});

describe('a job that has not started is withdrawn', () => {
  const withdrawn = (more: Partial<Situation>) => decide(situation(more)).stop;
  const unneededSince = new Map([
    ['1', now - 600_000],
    ['2', now - 599_999],
  ]);
  const jobs = [job('1', 'waiting'), job('2', 'waiting')];

  it('when no run has needed it for as long as workers stay idle', () => {
    expect(withdrawn({ jobs, unneededSince })).toEqual(['1']);
    expect(withdrawn({ jobs, unneededSince, minimum: 2 })).toEqual([]);
    expect(withdrawn({ jobs: [job('1', 'running')], unneededSince })).toEqual([]);
  });

  it('unless another program has started it', () => {
    const strangers = jobs.map((one) => ({ ...one, workerId: undefined }));

    expect(withdrawn({ jobs: strangers, unneededSince })).toEqual([]);
  });

  it('but not when a run needs it again', () => {
    const decision = decide(situation({ jobs, unneededSince, runs: [run('a')] }));

    expect(decision.stop).toEqual([]);
    expect([...decision.unneededSince.keys()]).toEqual(['2']);
  });
});

it('as many workers are started as the runs need, and no more, whatever they ask for', () => {
  const asked = fc.record({ cpus: fc.integer({ min: 1, max: 4 }), memory: fc.integer({ min: 1, max: 4 }) });
  fc.assert(
    fc.property(fc.array(asked, { maxLength: 12 }), (sizes) => {
      const runs = sizes.map(({ cpus, memory }, index) => run(`r${index}`, amounts(cpus, memory)));
      const jobs: PoolJob[] = [];
      while (decide(situation({ runs, jobs, maximum: 100 })).start) {
        jobs.push(job(String(jobs.length), 'waiting'));
        expect(jobs.length).toBeLessThanOrEqual(runs.length);
      }
      const cpus = sizes.reduce((sum, size) => sum + size.cpus, 0);
      expect(jobs.length).toBeGreaterThanOrEqual(Math.ceil(cpus / 4));
    }),
  );
});
