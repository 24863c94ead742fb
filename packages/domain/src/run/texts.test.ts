import { describe, expect, it } from 'vitest';
import {
  diskLimitMessage,
  failureWithKill,
  failureWithUploadError,
  limitViolations,
  memoryLimitMessage,
  reportedFailure,
} from './failure-message.ts';

describe('failure messages', () => {
  it('join what failed with why it was killed', () => {
    expect(failureWithKill('Exit code 1', 'Kill requested')).toBe('Exit code 1. Kill requested');
    expect(failureWithKill(null, 'Kill requested')).toBe('Kill requested');
    expect(failureWithKill('x', undefined)).toBe('x');
    expect(failureWithKill('', null)).toBeUndefined();
    expect(failureWithUploadError('x', 'e')).toBe('x. Error while uploading: e');
    expect(failureWithUploadError(undefined, 'e')).toBe('Error while uploading: e');
  });

  it('name an exit code that nobody explained', () => {
    expect(reportedFailure({ exitcode: 3 })).toBe('Exit code 3');
    expect(reportedFailure({ exitcode: 3, failureMessage: 'x' })).toBe('x');
    expect(reportedFailure({ exitcode: 0, failureMessage: '' })).toBeUndefined();
    expect(reportedFailure({})).toBeUndefined();
  });

  it('name limits in the texts clients match', () => {
    expect(diskLimitMessage(2 * 1024 ** 2)).toBe('Disk limit 2mb exceeded.');
    expect(memoryLimitMessage(2 * 1024 ** 3)).toBe('Memory limit 2g exceeded.');
  });
});

describe('limits', () => {
  const limits = { time: 60, memory: 1024, disk: 1024 };
  const usage = { containerSeconds: 60, memoryBytes: 1024, diskBytes: 1024, outOfMemory: false };

  it('are passed only by more than they allow', () => {
    expect(limitViolations(limits, usage)).toBeUndefined();
    expect(
      limitViolations({ time: 0, memory: 0, disk: 0 }, { ...usage, containerSeconds: 1e9, diskBytes: 1e15 }),
    ).toBeUndefined();
    expect(limitViolations(limits, { ...usage, memoryBytes: undefined })).toBeUndefined();
  });

  it('are all named', () => {
    expect(
      limitViolations(limits, {
        containerSeconds: 61,
        memoryBytes: 2000,
        diskBytes: 2000,
        outOfMemory: false,
      }),
    ).toBe(
      'Time limit exceeded. (Container uptime 1m1s > time limit 1m0s) Memory limit 1k exceeded. Disk limit 1kb exceeded.',
    );
    expect(limitViolations(limits, { ...usage, outOfMemory: true })).toBe('Memory limit 1k exceeded.');
  });
});
