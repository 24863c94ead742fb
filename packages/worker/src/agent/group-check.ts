/** Servers take a worker with a group they do not know as one that is shared with nobody, and say nothing (execution.md §4.3). */
import type { RestClient } from '@sheaf/client';
import { SheafError } from '@sheaf/wire';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';

/** Warns where the group cannot be used; never fails, since the worker works without. */
export async function warnOfUnknownGroup(
  client: Pick<RestClient, 'json'>,
  group: string,
  log: Log,
): Promise<void> {
  try {
    await client.json('GET', `/groups/${encodeURIComponent(group)}`);
  } catch (error) {
    if (error instanceof SheafError && (error.code === 'not-found' || error.code === 'permission-denied')) {
      log.warn(
        { group },
        'There is no such group, or you are not in it: until that changes, this worker executes your own runs only.',
      );
    } else log.debug({ group, error: messageOf(error) }, 'the group could not be looked up');
  }
}
