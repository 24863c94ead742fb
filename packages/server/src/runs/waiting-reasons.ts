/* Why runs wait, written where people see it: only where it has changed, and not without end in one pass (execution.md §13.3). */
import { transition } from '../bundles/transition.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { AbleRun } from './hopeless-runs.ts';

/** So that a pass stays short however many runs wait. */
const mostReasons = 100;

export interface NotedReasons {
  /** Versions this gave to bundles that stay staged, so that a pass's own notes are not taken for news. */
  readonly noted: ReadonlyMap<string, number>;
  /** Reasons that have changed and are still to be written. */
  readonly moreReasons: boolean;
}

/** First for those of which it was longest ago. */
export async function noteReasons(
  unit: UnitOfWork,
  reasons: ReadonlyMap<string, string>,
  runs: ReadonlyMap<string, AbleRun>,
  now: number,
): Promise<NotedReasons> {
  const changed: { run: AbleRun; reason: string }[] = [];
  for (const [uuid, reason] of reasons) {
    const run = runs.get(uuid);
    if (run !== undefined && run.metadata['staged_status'] !== reason) changed.push({ run, reason });
  }
  changed.sort((one, other) => one.run.row.changed_at - other.run.row.changed_at);
  const noted = new Map<string, number>();
  for (const { run, reason } of changed.slice(0, mostReasons)) {
    const row = await transition(unit, {
      uuid: run.row.uuid,
      type: 'run',
      expected: ['staged'],
      next: 'staged',
      changes: { metadata: { staged_status: reason } },
      now,
    });
    if (row !== undefined) noted.set(row.uuid, row.version);
  }
  return { noted, moreReasons: changed.length > mostReasons };
}
