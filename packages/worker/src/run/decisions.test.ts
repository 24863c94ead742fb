/* The plain decisions about a run: how it ended, what is reported, which cause counts. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runMessageFor } from '../testing/run-message.ts';
import { strongerCause } from './interruption.ts';
import { exceededLimits, exitFailure, nextLook, violatedLimits, fullDiskFailure } from './outcome.ts';
import { newRecord, runRecord, steps, type KillCause, type RunRecord } from './record.ts';
import { containerSeconds, nothingSeen, reportOf } from './report.ts';
import { enterStep, stageTimings } from './stage-times.ts';

const noLimits = { time: 0, memory: 0, disk: 0 };
const modest = { containerSeconds: 1, diskBytes: 10, memoryBytes: 10 };

describe('limits', () => {
  it.each([
    [{ ...noLimits }, modest, undefined],
    [{ ...noLimits, time: 0.5 }, modest, 'Time limit exceeded. (Container uptime 1.0s > time limit 0.5s)'],
    [
      { ...noLimits, time: 100 },
      { ...modest, containerSeconds: 3725 },
      'Time limit exceeded. (Container uptime 1h2m > time limit 1m40s)',
    ],
    [{ ...noLimits, disk: 2 * 1024 ** 2 }, { ...modest, diskBytes: 3_000_000 }, 'Disk limit 2mb exceeded.'],
    [{ ...noLimits, memory: 5 }, modest, 'Memory limit 5 exceeded.'],
    [{ ...noLimits, memory: 5 }, { ...modest, memoryBytes: undefined }, undefined],
    [
      { time: 0.5, memory: 5, disk: 5 },
      modest,
      'Time limit exceeded. (Container uptime 1.0s > time limit 0.5s) Memory limit 5 exceeded. Disk limit 5b exceeded.',
    ],
  ])('%j with %j', (limits, usage, text) => {
    expect(violatedLimits(limits, usage)).toBe(text);
  });

  it('count an out-of-memory kill only when the kernel says so, not for the exit code 137', () => {
    const limits = { ...noLimits, memory: 64 * 1024 ** 2 };

    expect(exceededLimits(limits, modest, { outOfMemory: true })).toBe('Memory limit 64m exceeded.');
    expect(exceededLimits(limits, modest, { outOfMemory: false })).toBeUndefined();
    expect(exceededLimits(limits, modest, null)).toBeUndefined();
  });

  it('are looked at when the time is over, and at least once a second', () => {
    expect(nextLook(0, 1000)).toBe(1000);
    expect(nextLook(10, 1)).toBe(1000);
    expect(nextLook(10, 9.8)).toBeCloseTo(205);
    expect(nextLook(10, 11)).toBe(10);
  });
});

it('what the shell says becomes the failure, without what is no ASCII', () => {
  expect(exitFailure({ message: 'bash: syntax error near ‘fi’\n' })).toBe('bash: syntax error near fi');
  expect(exitFailure({ message: 'two\n\tlines' })).toBe('two\n\tlines');
  expect(exitFailure({ message: '\u0000é ' })).toBeNull();
  expect(exitFailure({ message: null })).toBeNull();
  expect(exitFailure(null)).toBeNull();
});

it('a full disk is said with the exit code, and also where the command did not notice', () => {
  expect(fullDiskFailure({ exitCode: 1 })).toMatch(/^Exit code 1\. The disk of the worker was full/);
  expect(fullDiskFailure({ exitCode: 0 })).toMatch(/^The disk of the worker was full/);
  expect(fullDiskFailure(null)).toMatch(/^The disk of the worker was full/);
});

describe('the cause that counts', () => {
  const cause = (kind: KillCause['kind'], message: string = kind): KillCause => ({ kind, message });

  it('is the first of its kind', () => {
    const first = cause('request', 'first');

    expect(strongerCause(first, cause('request', 'second'))).toBe(first);
    expect(strongerCause(null, first)).toBe(first);
  });

  it('is a wish before a limit, and what the worker itself needs before both', () => {
    const ordered = (['limit', 'request', 'restage', 'drop'] as const).map((kind) => cause(kind));
    fc.assert(
      fc.property(fc.nat(3), fc.nat(3), (known, next) => {
        const counts = strongerCause(ordered[known] ?? null, ordered[next] ?? cause('limit'));
        expect(counts).toBe(ordered[Math.max(known, next)]);
      }),
    );
  });
});

describe('the record', () => {
  it('is read back as it was written', () => {
    const record = newRecord(runMessageFor({ epoch: 3 }), 1000);

    expect(runRecord.parse(JSON.parse(JSON.stringify(record)))).toEqual(record);
    expect(record).toMatchObject({ epoch: 3, step: 'prepare', acceptedAt: 1000 });
  });

  it('counts a message without an attempt as the first', () => {
    const { epoch: _, ...message } = runMessageFor();

    expect(newRecord(message, 0).epoch).toBe(1);
  });
});

describe('the times of the stages', () => {
  const record = newRecord(runMessageFor(), 10_000);

  it('follow the steps, and none that was gone through took no time', () => {
    enterStep(record, 'start', 11_000);
    enterStep(record, 'watch', 12_000);
    enterStep(record, 'collect', 15_000);
    enterStep(record, 'upload', 15_000);

    expect(stageTimings(record)).toEqual({
      'RUN_STAGE.PREPARING': { start: 10, end: 12, elapsed: 2 },
      'RUN_STAGE.RUNNING': { start: 12, end: 15, elapsed: 3 },
      'RUN_STAGE.CLEANING_UP': { start: 15, end: 15, elapsed: 0.001 },
      'RUN_STAGE.UPLOADING_RESULTS': { start: 15, end: null, elapsed: null },
      'RUN_STAGE.FINALIZING': { start: null, end: null, elapsed: null },
    });
  });
});

describe('the report', () => {
  const record: RunRecord = {
    ...newRecord(runMessageFor({ resources: { memory: 1000 } }), 10_000),
    image: { id: 'sha256:1', digest: 'image@sha256:2', size: 5 },
    runtime: 'docker',
  };

  it('says each step in one of the five words', () => {
    const states = steps.map((step) => reportOf({ ...record, step }, nothingSeen, 'w', 0)?.state);

    expect(states).toEqual([
      'preparing',
      'preparing',
      'running',
      'running',
      'running',
      'finalizing',
      'staged',
      undefined,
    ]);
  });

  it('has words for the user, of the moment or of the step', () => {
    const status = (changes: Partial<RunRecord>, said = '') =>
      reportOf({ ...record, ...changes }, { ...nothingSeen, status: said }, 'w', 0)?.run_status;

    expect(status({ step: 'watch' })).toBe('Running job in container.');
    expect(status({ step: 'watch', image: null })).toBe('Running job in sandbox.');
    expect(status({ step: 'watch', note: 'Running in the sandbox, because …' })).toMatch(/because/);
    expect(status({ step: 'upload' }, 'Uploading results: 3m uploaded.')).toBe(
      'Uploading results: 3m uploaded.',
    );
  });

  it('names the image only once something runs in it', () => {
    expect(reportOf(record, nothingSeen, 'w', 0)?.docker_image).toBeNull();
    expect(reportOf({ ...record, startedAt: 1 }, nothingSeen, 'w', 0)?.docker_image).toBe('image@sha256:2');
  });

  it('counts the time of the command until now, or until its end', () => {
    const running = { ...record, step: 'watch', startedAt: 20_000 } as const;

    expect(containerSeconds(running, 23_500)).toBe(3.5);
    expect(containerSeconds({ ...running, finishedAt: 21_000 }, 99_000)).toBe(1);
    expect(reportOf(running, nothingSeen, 'w', 3.5)?.container_time_total).toBe(3.5);
  });

  it('gives memory as a part of the limit', () => {
    const live = { status: '', cpuUsage: 1.5, memory: 250 };

    expect(reportOf(record, live, 'w', 0)).toMatchObject({ memory_usage: 0.25, cpu_usage: 1.5 });
  });

  it('keeps the failure for the end', () => {
    const failed = { ...record, failure: 'so far' };

    expect(reportOf({ ...failed, step: 'upload' }, nothingSeen, 'w', 0)?.failure_message).toBeNull();
    expect(reportOf({ ...failed, step: 'finish' }, nothingSeen, 'w', 0)?.failure_message).toBe('so far');
  });
});
