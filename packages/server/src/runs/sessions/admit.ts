/* Who may start a command beside a run's own, and in which runs. */
import { SheafError } from '@sheaf/wire';
import { requireBundle } from '../../bundles/access.ts';
import { holderOfRun } from '../../contents/holder.ts';
import type { UserViewer } from '../../http/viewer.ts';
import type { Services } from '../../services.ts';
import type { Holder } from '../../workers/questions.ts';

export interface Admitted {
  readonly user: UserViewer;
  readonly holder: Holder;
}

/** Workers that know sessions. */
const protocol = 2;

/**
 * Looks, and changes nothing. A session can do whatever the run can: reading is not enough.
 * @throws SheafError `not-found`, `permission-denied`, `action-refused`, `worker-unreachable`
 */
export async function admit(services: Services, user: UserViewer, uuid: string): Promise<Admitted> {
  const { queries } = services.database;
  const bundle = await requireBundle(queries, user, uuid, 'all');
  if (bundle.bundle_type !== 'run') {
    throw new SheafError(
      'action-refused',
      `Cannot start a command in bundle ${uuid}: it is a ${bundle.bundle_type}, not a run.`,
    );
  }
  if (bundle.state !== 'running') throw notRunning(uuid, bundle.state);
  if (bundle.kill_requested_at !== null) {
    throw new SheafError('action-refused', `Cannot start a command in bundle ${uuid}: it is being killed.`);
  }
  const holder = await holderOfRun(queries, uuid);
  if (holder === undefined) throw new SheafError('worker-unreachable', `No worker has bundle ${uuid}.`);
  if (holder.protocol < protocol) {
    throw new SheafError(
      'action-refused',
      `Cannot start a command in bundle ${uuid}: its worker ${holder.workerId} is an original CodaLab worker, which has no way to do it.`,
      { next: 'Runs on workers of this system can be entered; `cl workers` lists them.' },
    );
  }
  return { user, holder };
}

export function notRunning(uuid: string, state: string): SheafError {
  return new SheafError(
    'action-refused',
    `Cannot start a command in bundle ${uuid}: it is ${state}, not running.`,
    { next: `\`cl info ${uuid}\` tells what it does.` },
  );
}
