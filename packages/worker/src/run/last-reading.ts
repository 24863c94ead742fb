/** What a command has used, read once more when it has ended: it may have run for less time than passes between two looks. */
import type { Runtime } from '@sheaf/runtimes';
import { messageOf } from '../errors.ts';
import type { Attempt } from './tools.ts';

/** Never fails: a run must not die of what cannot be measured. */
export async function readLast({ run, tools }: Attempt, runtime: Runtime): Promise<void> {
  const { record, meter } = run;
  if (record.handle === null || record.startedAt === null) return;
  try {
    const statistics = await runtime.finalStatistics(record.handle);
    if (statistics === undefined) return;
    meter.end(statistics, record.finishedAt ?? tools.clock.now());
    run.notice({ ...run.live, cpuUsage: meter.cores, memory: meter.memory });
  } catch (error) {
    tools.log.warn({ run: run.uuid, error: messageOf(error) }, 'what a run used in all cannot be read');
  }
}

/** The last point of its series, once it is known what the command has left on disk. */
export function takeLastSample({ run, tools }: Attempt): void {
  const { record, meter } = run;
  if (record.startedAt === null) return;
  run.samples.add(meter.sample(record.finishedAt ?? tools.clock.now()));
}
