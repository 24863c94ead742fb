import type { AnyQueries } from '../accounts/users.ts';
import type { Holder } from '../workers/questions.ts';

/** The worker that holds a run now, as somebody who has questions needs to know it. */
export async function holderOfRun(queries: AnyQueries, runUuid: string): Promise<Holder | undefined> {
  const row = await queries
    .selectFrom('assignment')
    .innerJoin('worker', (join) =>
      join
        .onRef('worker.user_id', '=', 'assignment.user_id')
        .onRef('worker.worker_id', '=', 'assignment.worker_id'),
    )
    .select(['assignment.user_id', 'assignment.worker_id', 'assignment.epoch', 'worker.protocol'])
    .where('assignment.run_uuid', '=', runUuid)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  return { runUuid, userId: row.user_id, workerId: row.worker_id, epoch: row.epoch, protocol: row.protocol };
}
