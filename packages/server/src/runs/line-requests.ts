/* What the runs of a line get, or why they never can get it (execution.md §12.4). Worked out anew when the owner's quota changes. */
import {
  failure,
  limitProblems,
  resolveRequest,
  type Outcome,
  type RequestSettings,
  type ResourceRequest,
} from '@sheaf/domain';
import { quotaOf } from '../accounts/quota.ts';
import type { UserRow } from '../accounts/users.ts';
import type { BacklogLine } from './backlog/backlog.ts';

interface QuotaLeft {
  /** Seconds. */
  readonly time: number;
  /** Bytes. */
  readonly disk: number;
}

interface Resolved {
  readonly left: QuotaLeft;
  readonly outcome: Outcome<ResourceRequest>;
}

export class LineRequests {
  readonly #settings: RequestSettings;
  readonly #known = new WeakMap<BacklogLine, Resolved>();

  constructor(settings: RequestSettings) {
    this.#settings = settings;
  }

  /** The request with the defaults that the owner's quota leaves; a problem where waiting does not help. */
  of(line: BacklogLine, owner: UserRow): Outcome<ResourceRequest> {
    const left = quotaLeft(owner);
    const known = this.#known.get(line);
    if (known !== undefined && known.left.time === left.time && known.left.disk === left.disk)
      return known.outcome;
    const outcome = resolve(line, this.#settings, left);
    this.#known.set(line, { left, outcome });
    return outcome;
  }
}

function resolve(
  { asked }: BacklogLine,
  settings: RequestSettings,
  left: QuotaLeft,
): Outcome<ResourceRequest> {
  // A run that names no limit gets what is left, which is no reason to refuse it.
  const unlimited = { ...settings, maxDisk: 0, maxTime: 0 };
  const named = resolveRequest(asked, unlimited, left);
  if (!named.ok) return named;
  const problems = limitProblems(named.value, settings, left);
  return problems.length > 0 ? failure(problems.join('. ')) : resolveRequest(asked, settings, left);
}

function quotaLeft(owner: UserRow): QuotaLeft {
  const quota = quotaOf(owner);
  return { time: quota.timeQuota - quota.timeUsed, disk: quota.diskQuota - quota.diskUsed };
}
