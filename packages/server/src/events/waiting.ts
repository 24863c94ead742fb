/** Waits for events, with a bound. */
import type { Clock, Services } from '../services.ts';

export interface BundleWatch {
  /** Returns at the next change since the last call (or since the watch began), when the milliseconds are over, or on abort. */
  changed(milliseconds: number): Promise<void>;
  stop(): void;
}

/** Begin watching before reading the state to be compared: no change is missed between the two. */
export function watchBundle(
  { events, reasons }: Pick<Services, 'events' | 'reasons'>,
  clock: Clock,
  uuid: string,
  signal: AbortSignal,
): BundleWatch {
  let pending = false;
  let wake: (() => void) | undefined;
  const wakeUp = () => {
    pending = true;
    wake?.();
  };
  const notice = (event: { uuid: string }) => {
    if (event.uuid === uuid) wakeUp();
  };
  const stopChanged = events.on('bundle.changed', notice);
  const stopDeleted = events.on('bundle.deleted', notice);
  const stopReasons = reasons.watch(uuid, wakeUp);
  return {
    changed: (milliseconds) =>
      new Promise((resolve) => {
        const finish = () => {
          cancel();
          signal.removeEventListener('abort', finish);
          wake = undefined;
          pending = false;
          resolve();
        };
        const cancel = clock.after(milliseconds, finish);
        wake = finish;
        signal.addEventListener('abort', finish);
        if (pending || signal.aborted) finish();
      }),
    stop: () => {
      stopChanged();
      stopDeleted();
      stopReasons();
    },
  };
}
