/* Runs for which waiting does not help fail, in words (execution.md §12.4, §31.4). */
import { limitProblems, type RequestSettings } from '@sheaf/domain';
import { quotaOf } from '../accounts/quota.ts';
import type { UserRow } from '../accounts/users.ts';
import { transition } from '../bundles/transition.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { failDamaged } from './damage.ts';
import { history, sentence } from './history.ts';
import { mostRestarts } from './ended-report.ts';
import { planRun, type QuotaLeft, type Restarts, type WaitingRun } from './staged-runs.ts';

/** A waiting run whose row can be read and whose owner is known. */
export interface AbleRun extends WaitingRun {
  readonly metadata: NonNullable<WaitingRun['metadata']>;
  readonly owner: UserRow;
}

/** Fails those that cannot be read, ask for more than they can ever get, or were restarted too often. */
export async function failHopeless(
  unit: UnitOfWork,
  settings: RequestSettings,
  waiting: readonly WaitingRun[],
  { owners, restarts }: { owners: ReadonlyMap<string, UserRow>; restarts: Restarts },
  now: number,
): Promise<{ able: AbleRun[]; failed: number }> {
  const able: AbleRun[] = [];
  let failed = 0;
  for (const run of waiting) {
    const { row, metadata, dependencies } = run;
    if (metadata === undefined) {
      if (await failDamaged(unit, row, ['staged'], now)) failed += 1;
      continue;
    }
    const owner = owners.get(row.owner_id ?? '');
    const problems =
      owner === undefined
        ? ['The account that this run belongs to does not exist any more.']
        : problemsOf(run, settings, owner, restarts);
    if (owner !== undefined && problems.length === 0) able.push({ row, metadata, dependencies, owner });
    else if (await failRun(unit, row.uuid, problems.join('. '), now)) failed += 1;
  }
  return { able, failed };
}

function problemsOf(
  run: WaitingRun,
  settings: RequestSettings,
  owner: UserRow,
  restarts: Restarts,
): string[] {
  const count = restarts.counts.get(run.row.uuid) ?? 0;
  if (count >= mostRestarts) return [`The run could not be started after ${count} attempts.`];
  const left = quotaLeft(owner);
  // A run that names no limit gets what is left, which is no reason to refuse it.
  const unlimited = { ...settings, maxDisk: 0, maxTime: 0 };
  const { request } = planRun(run, unlimited, left, { avoid: undefined, controllers: undefined });
  return request.ok ? limitProblems(request.value, settings, left) : [request.problem];
}

/** Answers whether it was still waiting. */
export async function failRun(
  unit: UnitOfWork,
  uuid: string,
  message: string,
  now: number,
): Promise<boolean> {
  const failed = await transition(unit, {
    uuid,
    type: 'run',
    expected: ['staged'],
    next: 'failed',
    changes: { metadata: { failure_message: message } },
    now,
    event: history('failed', sentence(message)),
  });
  return failed !== undefined;
}

export function quotaLeft(owner: UserRow): QuotaLeft {
  const quota = quotaOf(owner);
  return { time: quota.timeQuota - quota.timeUsed, disk: quota.diskQuota - quota.diskUsed };
}
