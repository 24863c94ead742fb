/** Decides whether a worker ends by itself (execution.md §16.4). */
import type { Settings } from '../settings/settings.ts';

export interface Occupation {
  /** Runs held now. */
  readonly runs: number;
  /** Runs accepted since the worker began. */
  readonly started: number;
  /** Seconds since the last run left, or since the worker began. */
  readonly idleSeconds: number;
  /** The last check-in reached the server. */
  readonly inTouch: boolean;
  /** Told to finish what it has, and then to end. */
  readonly draining: boolean;
}

export type Leaving = Pick<Settings, 'exitWhenIdle' | 'idleSeconds' | 'exitAfterRuns'>;

/** Why the worker should end now; undefined for staying. */
export function reasonToLeave(settings: Leaving, now: Occupation): string | undefined {
  if (now.runs > 0) return undefined;
  if (now.draining) return 'it was told to end after the runs it had';
  if (now.started >= settings.exitAfterRuns) return `${now.started} runs were executed, as many as asked for`;
  const idle = settings.exitWhenIdle && now.inTouch && now.idleSeconds > settings.idleSeconds;
  return idle ? `there was no run for ${Math.floor(now.idleSeconds)} s` : undefined;
}
