/*
 * A copied start script gives two workers one identity; the one that came later is told so (execution.md §31.3). A worker that was
 * started again is let in at once: it comes back to the same work directory, which only one process can have.
 */
import { SheafError, type CheckinRequest } from '@sheaf/wire';
import type { WorkerRow } from './register.ts';

/** Another worker checked in under the same id within this time, in milliseconds: it is alive. */
const twinWindow = 20_000;

/**
 * @param situation `held`: a check-in under this id is being held right now, so that one is certainly alive; `silence`: milliseconds
 * since one was heard
 * @throws SheafError `conflict`
 */
export function refuseTwin(
  known: WorkerRow | undefined,
  request: Pick<CheckinRequest, 'hostname' | 'instance'>,
  situation: { readonly silence: number; readonly held: boolean },
): void {
  if (known === undefined) return;
  const host = request.hostname ?? known.hostname;
  const sameHost = known.hostname === null || host === known.hostname;
  const instance = request.instance ?? known.instance;
  // Null for original workers, which are told apart by their host only.
  const sameInstance = known.instance === null || instance === known.instance;
  if (sameHost && sameInstance) return;
  // A container that was started again has another host name, and the directory it had before.
  const cameBack = known.instance !== null && sameInstance;
  const alive = situation.held || (!cameBack && situation.silence <= twinWindow);
  if (!alive) return;
  const where = sameHost
    ? `on ${known.hostname ?? 'this machine'}, in another work directory`
    : `on ${known.hostname ?? 'another machine'}`;
  throw new SheafError(
    'conflict',
    `Another worker with the id ${known.worker_id} is running ${where}. Start this one with another --id, or stop the other first.`,
  );
}
