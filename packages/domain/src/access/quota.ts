import { killMarker } from '../bundle/final-state.ts';
import { formatDuration } from '../units/duration.ts';
import { formatRatio } from '../units/ratio.ts';
import { formatSize } from '../units/size.ts';

/** Quotas of a user (bundles.md §16, rest-api.md §25): time in seconds, disk in bytes. */
export interface Quota {
  timeQuota: number;
  timeUsed: number;
  diskQuota: number;
  diskUsed: number;
}

/** Why the user may not create bundles, or undefined (bundles.md §16.2). */
export function admissionProblem(quota: Quota): string | undefined {
  if (quota.timeUsed >= quota.timeQuota) {
    return `Out of time quota: ${formatRatio(quota.timeUsed, quota.timeQuota, formatDuration)}`;
  }
  if (quota.diskUsed >= quota.diskQuota) {
    return `Out of disk quota: ${formatRatio(quota.diskUsed, quota.diskQuota, (bytes) => formatSize(bytes))}`;
  }
  return undefined;
}

/**
 * Why contents of `size` bytes may not be kept, or undefined: they must fit beside what is used without them. Each byte
 * counts once (bundles.md §16.3).
 */
export function storageProblem(
  size: number,
  quota: { diskQuota: number; diskUsedWithout: number },
): string | undefined {
  if (quota.diskUsedWithout + size <= quota.diskQuota) return undefined;
  const left = Math.max(0, quota.diskQuota - quota.diskUsedWithout);
  return `Can't save bundle, user disk quota exceeded. It takes ${formatSize(size, { withBytes: true })}, but ${formatSize(left, { withBytes: true })} are left.`;
}

export type QuotaKind = 'time' | 'disk';

/** What a run over quota is killed with; clients and tests compare the whole text (execution.md §30). */
export function quotaKillMessage(kind: QuotaKind): string {
  return `${killMarker}: User ${kind} quota exceeded. To apply for more quota, please visit the following link: https://codalab-worksheets.readthedocs.io/en/latest/FAQ/#how-do-i-request-more-disk-quota-or-time-quota`;
}

/** Seconds a command must have run before an exceeded disk quota kills it (execution.md §14.1). */
export const diskKillGraceSeconds = 5;

/**
 * The kill a report of a run calls for because of its owner's quota, or undefined (execution.md §14.1). A command that has
 * ended, or has hardly begun, is not killed for disk: its upload alone decides, so that it ends `failed`.
 */
export function quotaKill(situation: {
  quota: Quota;
  /** The command runs: the running stage has begun and not ended. */
  commandRunning: boolean;
  /** Wall time of the command so far, seconds. */
  containerSeconds: number;
}): string | undefined {
  const { quota, commandRunning, containerSeconds } = situation;
  if (quota.timeUsed >= quota.timeQuota) return quotaKillMessage('time');
  const longEnough = commandRunning && containerSeconds >= diskKillGraceSeconds;
  return longEnough && quota.diskUsed >= quota.diskQuota ? quotaKillMessage('disk') : undefined;
}

/** Whether an e-mail address gets the academic quotas (bundles.md §16.1). */
export function isAcademicEmail(email: string): boolean {
  return /@[\w.-]+\.(edu|edu\.[a-z]{2}|ac\.[a-z]{2})$/.test(email.toLowerCase());
}

/** Runs a user may still start on workers of others (execution.md §14.2). */
export function parallelRunsLeft(quota: number, runsOnOthersWorkers: number): number {
  return quota - runsOnOthersWorkers;
}
