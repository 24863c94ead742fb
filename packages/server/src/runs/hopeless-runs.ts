/* Runs for which waiting does not help fail, in words (execution.md §12.4, §31.4). */
import type { ResourceRequest } from '@sheaf/domain';
import type { UserRow } from '../accounts/users.ts';
import { findBundle } from '../bundles/access.ts';
import { transition } from '../bundles/transition.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { Backlog, BacklogLine, WaitingRun } from './backlog/backlog.ts';
import { failDamaged } from './damage.ts';
import { history, sentence } from './history.ts';
import type { LineRequests } from './line-requests.ts';

/** So that a pass stays short however many fail; the others fail in the next. */
const mostFailed = 100;

export interface Hopeful {
  /** What each line gets whose runs may start; the runs of all other lines have failed, or are about to. */
  readonly requests: ReadonlyMap<BacklogLine, ResourceRequest>;
  readonly failed: number;
  /** Some still have to fail. */
  readonly more: boolean;
  /** Some wait no longer: somebody else has changed them, and nobody has told us yet. */
  readonly stale: readonly string[];
}

/** Fails those that cannot be read, ask for more than they can ever get, or were restarted too often. */
export async function failHopeless(
  unit: UnitOfWork,
  backlog: Backlog,
  owners: ReadonlyMap<string, UserRow>,
  resolved: LineRequests,
  now: number,
): Promise<Hopeful> {
  const requests = new Map<BacklogLine, ResourceRequest>();
  const hopeless: { run: WaitingRun; problem: string | undefined }[] = backlog.hopeless.map((run) => ({
    run,
    problem: run.asked === undefined ? undefined : problemOf(run, owners),
  }));
  for (const user of backlog.users) {
    const owner = owners.get(user.ownerId);
    for (const line of user.lines.values()) {
      const request = owner === undefined ? nobodys : resolved.of(line, owner);
      if (request.ok) requests.set(line, request.value);
      else for (const run of line.runs) hopeless.push({ run, problem: request.problem });
    }
  }
  const failing = hopeless.slice(0, mostFailed);
  const stale: string[] = [];
  for (const { run, problem } of failing) if (!(await failOne(unit, run, problem, now))) stale.push(run.uuid);
  return { requests, failed: failing.length - stale.length, more: hopeless.length > mostFailed, stale };
}

const nobodys = {
  ok: false,
  problem: 'The account that this run belongs to does not exist any more.',
} as const;

function problemOf({ ownerId, attempts }: WaitingRun, owners: ReadonlyMap<string, UserRow>): string {
  return owners.has(ownerId)
    ? `The run could not be started after ${attempts?.count ?? 0} attempts.`
    : nobodys.problem;
}

/** @param problem undefined where the row cannot be read */
async function failOne(
  unit: UnitOfWork,
  { uuid }: WaitingRun,
  problem: string | undefined,
  now: number,
): Promise<boolean> {
  if (problem !== undefined) return await failRun(unit, uuid, problem, now);
  const row = await findBundle(unit.queries, uuid);
  return row !== undefined && (await failDamaged(unit, row, ['staged'], now));
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
