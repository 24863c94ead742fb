/** Removes what earlier workers of this directory have left in a runtime, and no record speaks of. */
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { RunRecord } from '../run/record.ts';
import { allRuntimes, type Runtimes } from '../run/runtimes.ts';

export async function removeOrphans(
  runtimes: Runtimes,
  records: readonly RunRecord[],
  log: Log,
): Promise<void> {
  const known = new Set(records.map(({ uuid, epoch }) => `${uuid} ${epoch}`));
  await Promise.all(
    allRuntimes(runtimes).map(async (runtime) => {
      const orphans = (await runtime.list()).filter(({ uuid, epoch }) => !known.has(`${uuid} ${epoch}`));
      await Promise.all(
        orphans.map(async (handle) => {
          try {
            log.warn({ run: handle.uuid, epoch: handle.epoch }, 'a run that nobody knows is removed');
            await runtime.destroy(handle);
          } catch (error) {
            log.warn({ run: handle.uuid, error: messageOf(error) }, 'it cannot be removed now');
          }
        }),
      );
    }),
  );
}
