/** Lets the runtime forget a run: its container or sandbox goes, its directory stays. */
import { pauseAfter } from '../../back-off.ts';
import { messageOf } from '../../errors.ts';
import { runtimeNamed } from '../runtimes.ts';
import type { Attempt } from '../tools.ts';

const attempts = 6;
const backOff = { first: 500, longest: 10_000 };

/** Begins it, unless it is under way or done. Results do not wait for it; the end of the run does. */
export function destroyMeanwhile(attempt: Attempt): Promise<void> {
  attempt.destroying ??= destroy(attempt);
  return attempt.destroying;
}

async function destroy({ run, tools }: Attempt): Promise<void> {
  const { record } = run;
  if (record.destroyed) return;
  // How the command ended must be on disk before the only other witness goes.
  await run.save();
  const runtime = runtimeNamed(tools.runtimes, record.runtime ?? '');
  for (let failures = 1; runtime !== undefined; failures += 1) {
    try {
      const handle =
        record.handle ??
        (await runtime.list()).find((one) => one.uuid === record.uuid && one.epoch === record.epoch);
      if (handle !== undefined) await runtime.destroy(handle);
      break;
    } catch (error) {
      tools.log.warn({ run: run.uuid, error: messageOf(error) }, 'what executed a run cannot be removed yet');
      // What stays behind is removed as an orphan when the worker starts the next time.
      if (failures === attempts || tools.shutdown.aborted) return;
      await pause(failures, tools);
    }
  }
  record.destroyed = true;
  run.saveSoon();
}

async function pause(failures: number, { clock, random, shutdown }: Attempt['tools']): Promise<void> {
  try {
    await clock.sleep(pauseAfter(failures, backOff, random()), shutdown);
  } catch (error) {
    if (!shutdown.aborted) throw error;
  }
}
