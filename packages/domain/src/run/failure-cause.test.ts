import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  failureAfterRetries,
  failureCauseNames,
  failureCauses,
  isPlatformFailure,
  judgeFailure,
  reportedCause,
} from './failure-cause.ts';

const limits = { retries: 3, restarts: 10 };
const fresh = { spoilt: 0, restarts: 0, killRequested: false };

describe('causes of failures', () => {
  it.each([
    ['exit-code', 'final'],
    ['limit', 'final'],
    ['image-refused', 'final'],
    ['dependency-refused', 'final'],
    ['start-refused', 'final'],
    ['results-refused', 'final'],
    ['engine-failed', 'retry'],
    ['container-lost', 'retry'],
    ['image-unreachable', 'retry'],
    ['dependency-unreachable', 'retry'],
    ['disk-full', 'retry'],
    ['directory-lost', 'retry'],
    ['worker-unfit', 'retry'],
    ['unexpected', 'retry'],
  ] as const)('%s → %s', (cause, decision) => {
    expect(judgeFailure(cause, fresh, limits)).toBe(decision);
  });

  it('are all in the table above, with a meaning', () => {
    expect(failureCauseNames).toHaveLength(14);
    expect(Object.values(failureCauses).every(({ meaning }) => meaning.length > 20)).toBe(true);
  });

  it.each([
    [{ cause: 'container-lost', platformFailure: true }, 'container-lost'],
    [{ cause: 'limit', platformFailure: undefined }, 'limit'],
    [{ cause: undefined, platformFailure: true }, 'unexpected'],
    [{ cause: 'a cause of tomorrow', platformFailure: true }, 'unexpected'],
    [{ cause: 'a cause of tomorrow', platformFailure: false }, 'exit-code'],
    [{ cause: null, platformFailure: null }, 'exit-code'],
  ] as const)('%j is read as %s', (report, cause) => {
    expect(reportedCause(report)).toBe(cause);
  });
});

describe('retries', () => {
  it('end with the limit, with all restarts together, and with the wish of somebody', () => {
    expect(judgeFailure('engine-failed', { ...fresh, spoilt: 2 }, limits)).toBe('retry');
    expect(judgeFailure('engine-failed', { ...fresh, spoilt: 3 }, limits)).toBe('final');
    expect(judgeFailure('engine-failed', { ...fresh, restarts: 10 }, limits)).toBe('final');
    expect(judgeFailure('engine-failed', { ...fresh, killRequested: true }, limits)).toBe('final');
  });

  it('always come to an end', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...failureCauseNames)), fc.nat(20), (causes, retries) => {
        let spoilt = 0;
        for (const cause of causes) {
          if (
            judgeFailure(
              cause,
              { spoilt, restarts: spoilt, killRequested: false },
              { retries, restarts: 10 },
            ) === 'final'
          )
            break;
          expect(isPlatformFailure(cause)).toBe(true);
          spoilt += 1;
        }
        expect(spoilt).toBeLessThanOrEqual(Math.min(retries, 10));
      }),
    );
  });

  it('are all told when nothing has helped', () => {
    expect(failureAfterRetries([{ reason: 'Docker container not found', worker: 'a' }])).toBe(
      'Docker container not found',
    );
    expect(
      failureAfterRetries([
        { reason: 'the disk is full', worker: 'a on node1' },
        { reason: 'the engine is away', worker: undefined },
      ]),
    ).toBe(
      'the engine is away. This is not the fault of the command: it was tried 2 times. (1) on worker a on node1: the disk is full; (2): the engine is away',
    );
  });
});
