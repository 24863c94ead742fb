import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { effectivePermission, formatPermission, parsePermission, permissionRefusal } from './permission.ts';
import {
  admissionProblem,
  isAcademicEmail,
  parallelRunsLeft,
  quotaKill,
  quotaKillMessage,
  storageProblem,
} from './quota.ts';

describe('permissions', () => {
  it('are read in short and in full', () => {
    for (const [text, level] of [
      ['n', 0],
      ['none', 0],
      ['r', 1],
      ['read', 1],
      ['a', 2],
      ['all', 2],
    ] as const) {
      expect(parsePermission(text)).toEqual({ ok: true, value: level });
    }
    expect(parsePermission('write')).toMatchObject({ ok: false });
    expect(parsePermission('')).toMatchObject({ ok: false });
    expect(formatPermission(1)).toBe('read');
  });

  const grants = [
    { group: 'public', permission: 1 },
    { group: 'team', permission: 2 },
  ] as const;
  const object = { ownerId: 'alice', grants };

  it('are the most of the viewer’s groups, everything for owner and root', () => {
    const may = (userId: string | null, groups: string[]): number =>
      effectivePermission({ userId, groups: new Set(groups) }, object, '0');
    expect(may('alice', [])).toBe(2);
    expect(may('0', [])).toBe(2);
    expect(may('bob', ['public'])).toBe(1);
    expect(may('bob', ['public', 'team'])).toBe(2);
    expect(may('bob', [])).toBe(0);
    expect(may(null, ['public'])).toBe(1);
  });

  it('give an object without owner to nobody', () => {
    const nobodys = { ownerId: null, grants: [] };
    expect(effectivePermission({ userId: null, groups: new Set() }, nobodys, '0')).toBe(0);
  });

  it('never shrink when a grant is added', () => {
    const grant = fc.record({
      group: fc.constantFrom('a', 'b', 'c'),
      permission: fc.constantFrom(0 as const, 1 as const, 2 as const),
    });
    fc.assert(
      fc.property(fc.array(grant), grant, fc.subarray(['a', 'b', 'c']), (some, more, groups) => {
        const viewer = { userId: 'u', groups: new Set(groups) };
        const before = effectivePermission(viewer, { ownerId: 'o', grants: some }, '0');
        return effectivePermission(viewer, { ownerId: 'o', grants: [...some, more] }, '0') >= before;
      }),
    );
  });

  it('are refused by name', () => {
    expect(
      permissionRefusal({
        user: { name: 'maria', id: '0x7' },
        kind: 'bundle',
        uuids: ['0x1'],
        have: 0,
        need: 1,
      }),
    ).toBe('User maria(0x7) does not have sufficient permissions on bundle 0x1 (have none, need read).');
    expect(
      permissionRefusal({ user: null, kind: 'worksheet', uuids: ['0x1', '0x2'], have: 1, need: 2 }),
    ).toBe(
      'User public(None) does not have sufficient permissions on worksheet 0x1, 0x2 (have read, need all).',
    );
  });
});

const quota = { timeQuota: 120, timeUsed: 60, diskQuota: 1000, diskUsed: 10 };

describe('quotas', () => {
  it('admit until they are used up', () => {
    expect(admissionProblem(quota)).toBeUndefined();
    expect(admissionProblem({ ...quota, timeUsed: 120 })).toBe('Out of time quota: 2m0s / 2m0s (100.0%)');
    expect(admissionProblem({ ...quota, diskUsed: 2048, diskQuota: 1024 })).toBe(
      'Out of disk quota: 2k / 1k (200.0%)',
    );
  });

  it('count stored contents once', () => {
    expect(storageProblem(990, { diskQuota: 1000, diskUsedWithout: 10 })).toBeUndefined();
    expect(storageProblem(991, { diskQuota: 1000, diskUsedWithout: 10 })).toContain('disk quota exceeded');
    expect(storageProblem(991, { diskQuota: 1000, diskUsedWithout: 2000 })).toContain('0 bytes are left');
  });

  it('kill with the texts clients compare', () => {
    expect(quotaKillMessage('time')).toBe(
      'Kill requested: User time quota exceeded. To apply for more quota, please visit the following link: https://codalab-worksheets.readthedocs.io/en/latest/FAQ/#how-do-i-request-more-disk-quota-or-time-quota',
    );
  });

  it('kill for disk only a command that has run for five seconds', () => {
    const full = { ...quota, diskUsed: 1000 };
    const kill = (commandRunning: boolean, containerSeconds: number): string | undefined =>
      quotaKill({ quota: full, commandRunning, containerSeconds });
    expect(kill(true, 4.9)).toBeUndefined();
    expect(kill(false, 60)).toBeUndefined();
    expect(kill(true, 5)).toBe(quotaKillMessage('disk'));
    expect(quotaKill({ quota, commandRunning: true, containerSeconds: 60 })).toBeUndefined();
    expect(quotaKill({ quota: { ...full, timeUsed: 120 }, commandRunning: false, containerSeconds: 0 })).toBe(
      quotaKillMessage('time'),
    );
  });

  it('know academic addresses', () => {
    expect(isAcademicEmail('a@cs.stanford.edu')).toBe(true);
    expect(isAcademicEmail('A@X.AC.UK')).toBe(true);
    expect(isAcademicEmail('a@uni.edu.au')).toBe(true);
    expect(isAcademicEmail('a@edu.com')).toBe(false);
    expect(parallelRunsLeft(3, 5)).toBe(-2);
  });
});
